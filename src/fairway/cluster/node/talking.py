"""Talking with a command inside a container: the ends of its streams that are on this side.

The shepherd is given the paths of three named pipes or of a terminal, which the command opens; the bytes never pass
through the shepherd. Both ends of each are held open here, so that nobody waits for the other to open it: the end is
told by the shepherd and not by the pipe.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import shutil
import struct
import termios
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from fairway.cluster.node.runtime import CannotStart, ExecResult

_CHUNK = 64 * 1024
COULD_NOT_RUN = 128
"""With what was in the way as the output."""

Run = Callable[[list[str]], asyncio.Future[ExecResult]]
"""Begins the command with these streams; what it gives is the end of it."""


class Talk:
    """See `runtime.Talk`."""

    def __init__(self, folder: Path, *, terminal: bool) -> None:
        """Raises OSError. `folder` is one that the container sees."""
        self._terminal = terminal
        self._own: Path | None = None
        if terminal:
            self._input, self._held = pty.openpty()
            os.set_blocking(self._input, False)
            self.paths = [os.ttyname(self._held)]
            self._ends = [(1, self._input)]
        else:
            self._own = folder / f".talk-{uuid.uuid4().hex}"
            self._own.mkdir(mode=0o700, parents=True)
            names = [self._own / name for name in ("in", "out", "err")]
            for name in names:
                os.mkfifo(name, 0o600)
            self.paths = [str(name) for name in names]
            # Its input ends when we close our end, whether the command has opened its own yet or not.
            self._held = os.open(names[0], os.O_RDONLY | os.O_NONBLOCK)
            self._input = os.open(names[0], os.O_WRONLY | os.O_NONBLOCK)
            out, err = (os.open(name, os.O_RDWR | os.O_NONBLOCK) for name in names[1:])
            self._ends = [(1, out), (2, err)]
        self._said: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(16)
        self._end: asyncio.Future[ExecResult] | None = None
        self._pumps: list[asyncio.Task[None]] = []
        self._closing: asyncio.Task[None] | None = None

    def begin(self, run: Run) -> None:
        self._end = run(self.paths)
        self._pumps = [asyncio.create_task(self._pump(channel, end)) for channel, end in self._ends]
        self._closing = asyncio.create_task(self._until_the_end(self._end))

    async def read(self) -> tuple[int, bytes] | None:
        return await self._said.get()

    async def write(self, data: bytes) -> None:
        while data and self._input >= 0 and self._end is not None and not self._end.done():
            try:
                data = data[os.write(self._input, data) :]
            except BlockingIOError:
                await self._ready(self._input, write=True)
            except OSError:
                return

    def end_input(self) -> None:
        if self._terminal:
            with suppress(OSError):
                os.write(self._input, b"\x04")
        elif self._input >= 0:
            os.close(self._input)
            self._input = -1

    def resize(self, width: int, height: int) -> None:
        if self._terminal and self._input >= 0:
            with suppress(OSError, struct.error):
                fcntl.ioctl(self._input, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    async def result(self) -> int:
        assert self._end is not None, "it has begun"
        ended = await asyncio.shield(self._end)
        if ended.exit_code == COULD_NOT_RUN and ended.output:
            raise CannotStart("ExecFailed", ended.output.decode(errors="replace"))
        return ended.exit_code

    async def close(self) -> None:
        tasks = [task for task in (*self._pumps, self._closing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for descriptor in {self._input, self._held, *(end for _, end in self._ends)} - {-1}:
            os.close(descriptor)
        self._input, self._held, self._ends = -1, -1, []
        if self._own:
            await asyncio.to_thread(shutil.rmtree, self._own, ignore_errors=True)

    async def _pump(self, channel: int, end: int) -> None:
        while True:
            await self._ready(end)
            if not await self._move(channel, end):
                return

    async def _move(self, channel: int, end: int) -> bool:
        """One piece; False where nothing more can come."""
        try:
            data = os.read(end, _CHUNK)
        except BlockingIOError:
            return True
        if data:
            await self._said.put((channel, data))
        return bool(data)

    async def _until_the_end(self, end: asyncio.Future[ExecResult]) -> None:
        """After the command has ended, what is still in the pipes is its last word."""
        await asyncio.wait((end,))
        for task in self._pumps:
            task.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        for channel, descriptor in self._ends:
            while True:
                try:
                    data = os.read(descriptor, _CHUNK)
                except BlockingIOError:
                    break
                if not data:
                    break
                await self._said.put((channel, data))
        await self._said.put(None)

    async def _ready(self, descriptor: int, *, write: bool = False) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()

        def now() -> None:
            if not ready.done():
                ready.set_result(None)

        watch, forget = (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)
        watch(descriptor, now)
        try:
            await ready
        finally:
            forget(descriptor)


class Attachment(Talk):
    """A talk with a container itself. Its end is the container's, and hanging up ends only the talk."""

    def __init__(self, folder: Path, tell: Callable[[dict[str, Any]], None]) -> None:
        """Raises OSError. `tell` says something to the shepherd about this attachment."""
        super().__init__(folder, terminal=False)
        self._tell = tell

    def resize(self, width: int, height: int) -> None:
        self._tell({"op": "resize", "width": width, "height": height})

    async def close(self) -> None:
        self._tell({"op": "detach"})
        await super().close()
