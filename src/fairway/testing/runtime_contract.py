"""The contract of `PodRuntime`, as tests: whoever writes a runtime subclasses this and runs it.

A subclass gives `open_runtime`, which opens a runtime over the same state each time (so that "the agent was killed"
is a second call), and `command`, which spells behaviours: `exit N`, `print TEXT`, `stay`; and `answer`, which prints
"got " and a line that it reads, where it `talks`.
"""

from __future__ import annotations

import asyncio
import signal
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fairway.cluster.node.runtime import CannotStart, ContainerId, ContainerSpec, ContainerState, PodRuntime, Talk

IMAGE = "busybox:latest"


class Ends:
    """Hears of ends, and waits for them."""

    def __init__(self) -> None:
        self.heard: list[ContainerState] = []
        self._news = asyncio.Event()

    def __call__(self, state: ContainerState) -> None:
        self.heard.append(state)
        self._news.set()

    async def of(self, container: ContainerId) -> ContainerState:
        async with asyncio.timeout(60):
            while True:
                for state in self.heard:
                    if state.id == container:
                        return state
                self._news.clear()
                await self._news.wait()


async def said(talk: Talk) -> bytes:
    """What is said on its output, to its end."""
    heard = b""
    async with asyncio.timeout(60):
        while (piece := await talk.read()) is not None:
            heard += piece[1] if piece[0] == 1 else b""
    return heard


class RuntimeContract(ABC):
    image = IMAGE
    talks = True
    unknown = "ImageNotInCatalogue"
    """The reason for which an image that nobody has cannot be run."""

    @abstractmethod
    async def open_runtime(self, ended: Ends) -> PodRuntime: ...

    @abstractmethod
    def command(self, word: str, argument: str = "") -> tuple[str, ...]: ...

    async def settled(self, runtime: PodRuntime, spec: ContainerSpec) -> None:
        """Until a container that was started can hear signals; the first process of a container of an engine is deaf
        until it has said what it listens to."""
        assert any(state.running for state in runtime.states(spec.id.pod))

    @pytest.fixture
    def ends(self) -> Ends:
        return Ends()

    @pytest.fixture
    async def runtime(self, ends: Ends) -> AsyncIterator[PodRuntime]:
        runtime = await self.open_runtime(ends)
        yield runtime
        for pod in runtime.pods():
            await runtime.remove(pod)
        await runtime.close()

    def spec(self, word: str, argument: str = "", *, pod: str = "pod", attempt: int = 0) -> ContainerSpec:
        return ContainerSpec(ContainerId(pod, "main", attempt), self.image, self.command(word, argument))

    async def test_a_container_that_ends_well(self, runtime: PodRuntime, ends: Ends) -> None:
        spec = self.spec("exit", "0")
        await runtime.start(spec)
        end = await ends.of(spec.id)
        assert (end.exit_code, end.reason, end.running) == (0, "Completed", False)
        assert end.finished_at >= end.started_at > 0
        assert runtime.states("pod") == [end]

    async def test_the_exit_code_is_kept(self, runtime: PodRuntime, ends: Ends) -> None:
        spec = self.spec("exit", "7")
        await runtime.start(spec)
        end = await ends.of(spec.id)
        assert (end.exit_code, end.reason) == (7, "Error")

    async def test_an_id_runs_at_most_once(self, runtime: PodRuntime, ends: Ends) -> None:
        spec = self.spec("print", "once")
        await runtime.start(spec)
        end = await ends.of(spec.id)
        assert await runtime.start(spec) == end
        assert b"".join(path.read_bytes() for path in runtime.logs(spec.id)).count(b"once") == 1

    async def test_a_restart_is_another_attempt(self, runtime: PodRuntime, ends: Ends) -> None:
        for attempt in (0, 1):
            spec = self.spec("exit", str(attempt), attempt=attempt)
            await runtime.start(spec)
            await ends.of(spec.id)
        assert [(state.id.attempt, state.exit_code) for state in runtime.states("pod")] == [(0, 0), (1, 1)]

    async def test_the_log_has_a_time_and_a_stream_on_each_line(self, runtime: PodRuntime, ends: Ends) -> None:
        spec = self.spec("print", "hello")
        await runtime.start(spec)
        await ends.of(spec.id)
        (path,) = runtime.logs(spec.id)
        time, stream, mark, text = path.read_text().rstrip("\n").split(" ", 3)
        assert (stream, mark, text) == ("stdout", "F", "hello")
        assert len(time) == len("2026-01-02T03:04:05.000000006Z")

    async def test_a_signal_ends_it(self, runtime: PodRuntime, ends: Ends) -> None:
        spec = self.spec("stay")
        assert (await runtime.start(spec)).running
        await self.settled(runtime, spec)
        await runtime.signal(spec.id, signal.SIGTERM)
        end = await ends.of(spec.id)
        assert (end.exit_code, end.signal) == (143, signal.SIGTERM)
        await runtime.signal(spec.id, signal.SIGKILL)  # of one that has ended: nothing happens

    async def test_what_runs_is_found_again(self, runtime: PodRuntime, ends: Ends) -> None:
        stays, ends_soon = self.spec("stay", pod="one"), self.spec("exit", "5", pod="two")
        await runtime.start(stays)
        await runtime.start(ends_soon)
        await ends.of(ends_soon.id)
        await runtime.close()
        later = Ends()
        again = await self.open_runtime(later)
        assert again.pods() == {"one", "two"}
        assert [state.running for state in again.states("one")] == [True]
        assert [state.exit_code for state in again.states("two")] == [5]
        assert (await again.start(stays)).running
        await again.signal(stays.id, signal.SIGKILL)
        assert (await later.of(stays.id)).exit_code == 137
        await again.close()

    async def test_a_command_beside_it(self, runtime: PodRuntime, ends: Ends) -> None:
        spec = self.spec("stay")
        await runtime.start(spec)
        assert (await runtime.exec(spec.id, self.command("exit", "4"), 5)).exit_code == 4
        await runtime.signal(spec.id, signal.SIGKILL)
        await ends.of(spec.id)
        with pytest.raises(CannotStart):
            await runtime.exec(spec.id, self.command("exit", "0"), 5)

    async def test_a_command_beside_it_is_talked_with(self, runtime: PodRuntime) -> None:
        if not self.talks:
            pytest.skip("this runtime runs nothing that could be talked with")
        spec = self.spec("stay")
        await runtime.start(spec)
        await self.settled(runtime, spec)
        talk = await runtime.talk(spec.id, self.command("print", "hello"), terminal=False)
        talk.end_input()
        assert await said(talk) == b"hello\n"
        assert await talk.result() == 0
        await talk.close()

    async def test_whoever_is_attached_hears_it_and_is_told_of_its_end(self, runtime: PodRuntime, ends: Ends) -> None:
        if not self.talks:
            pytest.skip("this runtime runs nothing that could be talked with")
        spec = replace(self.spec("answer"), input=True, input_once=True)
        await runtime.start(spec)
        talk = await runtime.attach(spec.id)
        await talk.write(b"a line\n")
        talk.end_input()
        assert await said(talk) == b"got a line\n"
        assert await talk.result() == 0
        await talk.close()
        assert (await ends.of(spec.id)).exit_code == 0
        with pytest.raises(CannotStart):
            await runtime.attach(spec.id)

    async def test_an_image_that_cannot_be_run_is_refused_by_name(self, runtime: PodRuntime) -> None:
        spec = ContainerSpec(ContainerId("pod", "main", 0), "registry.example.com/secret/thing:1", ("true",))
        with pytest.raises(CannotStart, match="secret/thing") as refused:
            await runtime.start(spec)
        assert refused.value.reason == self.unknown
        assert runtime.states("pod") == []

    async def test_nothing_is_left_of_a_removed_pod(self, runtime: PodRuntime, ends: Ends) -> None:
        spec = self.spec("stay")
        await runtime.start(spec)
        folder = runtime.folder("pod")
        (folder / "note").write_text("x")
        await runtime.remove("pod")
        assert (await ends.of(spec.id)).exit_code == 137
        assert not folder.exists()
        assert runtime.states("pod") == []
