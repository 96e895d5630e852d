"""Pod logs, read from the files that the shepherds write. What the API serves under pods/NAME/log.

The shape is the API's own (`PodLogs`); the two rooms do not import each other.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from fairway.cluster.node.runtime import ContainerId, ContainerState, PodRuntime
from fairway.kernel.clock import parse
from fairway.kernel.objects import errors, meta, pod_statuses
from fairway.kernel.objects.kinds import Object

_POLL = 0.1
"""Seconds between two looks at a file that is followed; an end is noticed within them."""
_CHUNK = 256 * 1024


class Options(Protocol):
    """What a reader asks for, as the query of the request has it."""

    @property
    def container(self) -> str: ...
    @property
    def follow(self) -> bool: ...
    @property
    def previous(self) -> bool: ...
    @property
    def timestamps(self) -> bool: ...
    @property
    def tail_lines(self) -> int | None: ...
    @property
    def since(self) -> float | None: ...
    @property
    def limit_bytes(self) -> int | None: ...
    @property
    def stream(self) -> str: ...


class Logs:
    def __init__(self, runtime: PodRuntime) -> None:
        self._runtime = runtime

    async def read(self, pod: Object, options: Options) -> AsyncGenerator[bytes, None]:
        """Raises NotFound for a previous attempt that is not there, BadRequest before the first has started."""
        chosen = self._choose(pod, options)
        left = options.limit_bytes
        async for piece in self._pieces(chosen, options):
            if left is not None:
                piece = piece[:left]
                left -= len(piece)
            if piece:
                yield piece
            if left == 0:
                return

    def _choose(self, pod: Object, options: Options) -> ContainerId:
        states = [state for state in self._runtime.states(meta.uid(pod)) if state.id.name == options.container]
        if options.previous:
            # While a container waits for its next attempt, the one that is over is the previous one.
            said = pod_statuses.of_container(pod, options.container)
            waits = bool(states) and not states[-1].running and "waiting" in (said.get("state") or {})
            past = states if waits else states[:-1]
            if not past:
                raise errors.BadRequest(
                    f'previous terminated container "{options.container}" in pod "{meta.name(pod)}" not found'
                )
            return past[-1].id
        if not states:
            raise errors.BadRequest(
                f'container "{options.container}" in pod "{meta.name(pod)}" is waiting to start: ContainerCreating'
            )
        return states[-1].id

    async def _pieces(self, chosen: ContainerId, options: Options) -> AsyncGenerator[bytes, None]:
        form = _form(options.timestamps, options.since or 0.0, options.stream)
        follower = _Follower(lambda: self._runtime.logs(chosen))
        first = follower.new_lines()
        if options.tail_lines is not None:
            first = _last(first, options.tail_lines)
        # Up to twenty megabytes: read beside the event loop.
        for batch in await asyncio.to_thread(list, _batches(first, form)):
            yield batch
        if options.follow:
            async for batch in self._follow(chosen, follower, form):
                yield batch

    async def _follow(
        self, chosen: ContainerId, follower: _Follower, form: Callable[[bytes], bytes]
    ) -> AsyncGenerator[bytes, None]:
        running = True
        while running:
            # Asked before the last read, so that what is written at the end is not missed.
            running = _is_running(self._runtime.states(chosen.pod), chosen)
            for batch in _batches(follower.new_lines(), form):
                yield batch
            if running:
                await asyncio.sleep(_POLL)


class _Follower:
    """Whole lines of a log that grows and rotates."""

    def __init__(self, files: Callable[[], Sequence[Path]]) -> None:
        self._files = files
        self._inode, self._offset = 0, 0

    def new_lines(self) -> Iterator[bytes]:
        files = list(self._files())
        inodes = [os.stat(path).st_ino for path in files]
        if self._inode in inodes:
            files = files[inodes.index(self._inode) :]
        else:
            self._offset = 0
        for path in files:
            yield from self._read(path)

    def _read(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            if inode != self._inode:
                self._inode, self._offset = inode, 0
            file.seek(self._offset)
            rest = b""
            while data := file.read(_CHUNK):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._offset += len(line) + 1
                    yield line


def last_lines(files: Sequence[Path], most: int, most_bytes: int) -> str:
    """The end of a log, without the stamps."""
    lines = deque(_Follower(lambda: files).new_lines(), maxlen=most)
    text = b"".join(map(_form(timestamps=False, since=0.0), lines))
    return text[-most_bytes:].decode(errors="replace")


def _form(timestamps: bool, since: float, stream: str = "") -> Callable[[bytes], bytes]:
    """From a line of the file (`TIME STREAM F|P TEXT`) to what a reader sees, who may want one stream alone."""
    only = stream.encode()

    def form(line: bytes) -> bytes:
        time, _, rest = line.partition(b" ")
        try:
            source, mark, text = rest.split(b" ", 2)
            early = bool(since) and parse(time.decode()[:19] + "Z") < int(since)
        except ValueError:  # a full disk took a part of it
            return b""
        if early:
            return b""
        if only and source != only:
            return b""
        end = b"" if mark == b"P" else b"\n"
        return time + b" " + text + end if timestamps else text + end

    return form


def _last(lines: Iterator[bytes], most: int) -> Iterator[bytes]:
    yield from deque(lines, maxlen=most)


def _batches(lines: Iterator[bytes], form: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """Formed lines, joined to pieces worth sending."""
    batch = bytearray()
    for line in lines:
        batch += form(line)
        if len(batch) >= _CHUNK:
            yield bytes(batch)
            batch.clear()
    if batch:
        yield bytes(batch)


def _is_running(states: Sequence[ContainerState], chosen: ContainerId) -> bool:
    return any(state.id == chosen and state.running for state in states)
