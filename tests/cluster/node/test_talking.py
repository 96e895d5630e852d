"""Talking with a command inside a container: its streams, its end, and a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fairway.cluster.node.runtime import CannotStart, Talk
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import POD

from .conftest import Bench


async def all_said(talk: Talk) -> tuple[bytes, bytes]:
    said = {1: b"", 2: b""}
    async with asyncio.timeout(60):
        while (piece := await talk.read()) is not None:
            said[piece[0]] += piece[1]
    return said[1], said[2]


async def test_a_command_is_heard_answered_and_judged(bench: Bench) -> None:
    async with bench.node() as node:
        await bench.create("p", "sleep", "1000")
        pod = await bench.until("p", lambda found: found["status"].get("phase") == "Running")
        talk = await node.executions.open(pod, "main", ["sh", "-c", "cat; echo err >&2; exit 3"], terminal=False)
        long = b"x" * 1_000_000
        writing = asyncio.create_task(talk.write(long))
        hearing = asyncio.create_task(all_said(talk))
        await writing
        talk.end_input()
        assert await hearing == (long, b"err\n")
        assert await talk.result() == 3
        await talk.close()
        hasty = await node.executions.open(pod, "main", ["cat"], terminal=False)
        await hasty.write(b"said before the command had opened its ears")
        hasty.end_input()
        assert (await all_said(hasty))[0].startswith(b"said before")
        await hasty.close()


async def test_a_terminal_has_a_size_and_its_hanging_up_ends_the_command(bench: Bench) -> None:
    async with bench.node() as node:
        await bench.create("p", "sleep", "1000")
        pod = await bench.until("p", lambda found: found["status"].get("phase") == "Running")
        talk = await node.executions.open(pod, "main", ["sh", "-c", "stty size; read line; stty size"], terminal=True)
        talk.resize(120, 40)
        await talk.write(b"on\n")
        output, _ = await all_said(talk)
        assert b"40 120" in output
        await talk.close()
        waiting = await node.executions.open(pod, "main", ["sh", "-c", "echo up; exec sleep 600"], terminal=True)
        assert await asyncio.wait_for(waiting.read(), 60) == (1, b"up\r\n")
        await waiting.close()
        async with asyncio.timeout(60):
            assert await waiting.result() != 0


async def test_the_first_who_attaches_hears_what_was_said_before(bench: Bench) -> None:
    async with bench.node() as node:
        for name, once in (("mine", True), ("ours", False)):
            container = {"stdin": True, "stdinOnce": once}
            await bench.create(name, "sh", "-c", "echo early; echo err >&2; cat", container=container)
            pod = await bench.until(name, lambda found: found["status"].get("phase") == "Running")
            await bench.said(name, "early")
            await bench.said(name, "err")
            talk = await node.executions.attach(pod, "main", input=True)
            await talk.write(b"late\n")
            wanted = {1: b"early\nlate\n", 2: b"err\n"} if once else {1: b"late\n", 2: b""}
            heard = {1: b"", 2: b""}
            while sum(map(len, heard.values())) < sum(map(len, wanted.values())):
                piece = await asyncio.wait_for(talk.read(), 60)
                assert piece is not None
                heard[piece[0]] += piece[1]
            assert heard == wanted
            await talk.close()


async def test_what_cannot_be_run_says_so(bench: Bench) -> None:
    async with bench.node() as node:
        await bench.create("p", "sleep", "1000")
        pod = await bench.until("p", lambda found: found["status"].get("phase") == "Running")
        talk = await node.executions.open(pod, "main", ["nosuch"], terminal=False)
        assert await all_said(talk) == (b"", b"")
        with pytest.raises(CannotStart, match='cannot run "nosuch"'):
            await talk.result()
        await talk.close()
        with pytest.raises(errors.BadRequest, match="is not running"):
            await node.executions.open(pod, "other", ["true"], terminal=False)


async def test_a_command_ends_with_its_container_and_with_whoever_hears_it(bench: Bench) -> None:
    async with bench.node() as node:
        await bench.create("p", "sleep", "1000", terminationGracePeriodSeconds=0)
        pod = await bench.until("p", lambda found: found["status"].get("phase") == "Running")
        talk = await node.executions.open(pod, "main", ["sh", "-c", "echo up; exec sleep 6543"], terminal=False)
        assert await asyncio.wait_for(talk.read(), 60) == (1, b"up\n")
        await bench.client.delete(POD, "p", "default")
        assert await asyncio.wait_for(talk.result(), 60) == 137
        await talk.close()
        await bench.create("q", "sleep", "1000")
        pod = await bench.until("q", lambda found: found["status"].get("phase") == "Running")
        left = await node.executions.open(pod, "main", ["sh", "-c", "echo up; exec sleep 6544"], terminal=False)
        assert await asyncio.wait_for(left.read(), 60) == (1, b"up\n")
    await left.close()  # the node has gone, as if it were killed
    async with asyncio.timeout(60):
        while b"6544" in b"".join(_command_lines()):
            await asyncio.sleep(0.02)


def _command_lines() -> Iterator[bytes]:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield process.read_bytes()
