"""Many of everything at the Kubernetes API: 1,000 watchers, 100,000 objects, and a restart with all of them."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.api import PATH, commit_seconds, config_map
from bench.measuring import Row, against, milliseconds, quantile
from bench.platform import Platform, free_port, peak_memory
from bench.wire import Wire
from fairway.kernel.client import kubeconfig

_WATCHERS, _SHARED = 1_000, 20
_WARMING = 50
"""Writes that nobody watches, before those that are timed: the first ones of a server's life are others' business."""
_STEP = 7
"""From one watcher to the next: neighbours would share pages of memory that one of them has just touched."""
_OBJECTS, _CLIENTS, _PAGE = 100_000, 32, 500
_MB = 2**20


def measure(platform: Platform) -> list[Row]:
    rows = uvloop.run(_watchers(platform))
    before = peak_memory(platform.server.pid)
    rows += uvloop.run(_objects(platform))
    held = peak_memory(platform.server.pid)
    return [
        *rows,
        Row(f"memory for {_OBJECTS:,} objects and their pages", f"{(held - before) / _MB:.0f} MB", "bounded"),
        _restart(platform),
    ]


async def _watchers(platform: Platform) -> list[Row]:
    access = kubeconfig.load(Path(platform.server.kubeconfig))
    writing = await Wire.open(access)
    own = [await _watching(await Wire.open(access), f"watcher={number}") for number in range(_WATCHERS)]
    for number in range(_WARMING):
        await writing.ask(writing.request("POST", PATH, config_map(f"warming-{number}")))
    seconds = []
    for number in (each * _STEP % _WATCHERS for each in range(_WATCHERS)):
        request = writing.request("POST", PATH, config_map(f"crowd-{number}", {"watcher": str(number)}))
        begin = time.perf_counter()
        write = asyncio.ensure_future(writing.ask(request))
        await own[number].event()
        seconds.append(time.perf_counter() - begin)
        await write
    same = await _shared(writing, [await _watching(wire, "shared") for wire in await _renewed(access, own)])
    writing.close()
    commit = commit_seconds()
    what = f"delivery to one of {_WATCHERS:,} watchers (write sent to event seen)"
    return [
        against(f"{what}, p50", quantile(seconds, 0.5), "2 ms", commit, "one SQLite commit"),
        against(f"{what}, p99", quantile(seconds, 0.99), "5 ms", commit, "one SQLite commit"),
        Row(f"delivery to all of {_WATCHERS:,} watchers of the same", milliseconds(quantile(same, 0.5)), ""),
    ]


async def _renewed(access: kubeconfig.Access, old: Sequence[Wire]) -> list[Wire]:
    for wire in old:
        wire.close()
    return [await Wire.open(access) for _ in range(_WATCHERS)]


async def _watching(wire: Wire, selector: str) -> Wire:
    await wire.watch(wire.request("GET", f"{PATH}?watch=true&labelSelector={selector.replace('=', '%3D')}"))
    return wire


async def _shared(writing: Wire, watching: Sequence[Wire]) -> list[float]:
    """Seconds from a write to the last of those who watch it, one process reading for all of them."""
    seconds = []
    for number in range(_SHARED):
        request = writing.request("POST", PATH, config_map(f"shared-{number}", {"shared": "yes"}))
        begin = time.perf_counter()
        await asyncio.gather(writing.ask(request), *(wire.event() for wire in watching))
        seconds.append(time.perf_counter() - begin)
    for wire in watching:
        wire.close()
    return seconds


async def _objects(platform: Platform) -> list[Row]:
    access = kubeconfig.load(Path(platform.server.kubeconfig))
    wires = [await Wire.open(access) for _ in range(_CLIENTS)]
    numbers = iter(range(_OBJECTS))

    async def client(wire: Wire) -> None:
        for number in numbers:
            await wire.ask(wire.request("POST", PATH, config_map(f"object-{number:06}", payload="x" * 200)))

    begin = time.perf_counter()
    await asyncio.gather(*map(client, wires))
    rate = _OBJECTS / (time.perf_counter() - begin)
    pages = await _pages(wires[0])
    for wire in wires:
        wire.close()
    return [
        Row(f"create, up to {_OBJECTS:,} objects", f"{rate:,.0f}/s", "1,500/s"),
        Row(f"a page of {_PAGE} of {_OBJECTS:,} objects, p50", milliseconds(quantile(pages, 0.5)), "100 ms"),
        Row(f"a page of {_PAGE} of {_OBJECTS:,} objects, the slowest", milliseconds(max(pages)), "100 ms"),
    ]


async def _pages(wire: Wire) -> list[float]:
    """The seconds of each page of a whole list."""
    seconds, token, seen = [], "", 0
    while True:
        request = wire.request("GET", f"{PATH}?limit={_PAGE}" + (f"&continue={token}" if token else ""))
        begin = time.perf_counter()
        answer = await wire.ask(request)
        seconds.append(time.perf_counter() - begin)
        page = json.loads(answer)
        seen += len(page["items"])
        token = page["metadata"].get("continue", "")
        if not token:
            assert seen >= _OBJECTS, seen
            return seconds


def _restart(platform: Platform) -> Row:
    """`fairway up` on a folder with all the objects, until everything is ready."""
    command, folder = [sys.executable, "-m", "fairway"], str(platform.folder)
    subprocess.run([*command, "stop", "--data-dir", folder], check=True, stdout=subprocess.DEVNULL)
    begin = time.perf_counter()
    subprocess.run(
        [*command, "up", "--detach", "--quiet", "--data-dir", folder, "--port", str(free_port())], check=True
    )
    seconds = time.perf_counter() - begin
    reference = platform.started_in
    return Row(
        f"a start with {_OBJECTS:,} objects until everything is ready",
        f"{seconds:.2f} s",
        "5 s",
        f"{reference:.2f} s: without",
        seconds / reference,
    )
