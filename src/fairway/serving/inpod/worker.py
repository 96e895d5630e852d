"""One of several serving processes: from the fork to its end.

It serves like a single one, but that loads and unloads go by way of the process that looks after it (`workers`), which
tells all. It drains on SIGTERM, and where that process is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from typing import NoReturn

from fairway.serving.inpod import channel
from fairway.serving.inpod.batching import failed
from fairway.serving.inpod.board import Board
from fairway.serving.inpod.channel import Message
from fairway.serving.inpod.flags import fail
from fairway.serving.inpod.loops import runner
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad
from fairway.serving.inpod.places import Loader
from fairway.serving.inpod.server import Server


def live(
    options: argparse.Namespace,
    listening: socket.socket,
    board: Board,
    place: int,
    control: socket.socket,
    given: Mapping[str, Loader] | None,
    changes: list[list[str]],
    *,
    first: bool,
) -> NoReturn:
    """In the forked process, which ends here. `first` takes requests while it loads."""
    code = 1

    async def begin() -> None:
        await _Life(options, board, place, control, given).run(listening, changes, first=first)

    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        with runner() as loop:
            loop.run(begin())
        code = 0
    except CannotLoad as reason:
        fail(str(reason))
    except OSError as failure:
        fail(f"The model server cannot serve: {failure.strerror or failure}.")
    except BaseException:
        traceback.print_exc()  # nobody above would say it
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class _Life:
    def __init__(
        self,
        options: argparse.Namespace,
        board: Board,
        place: int,
        control: socket.socket,
        given: Mapping[str, Loader] | None,
    ) -> None:
        self._control = control
        self._waiting: dict[int, asyncio.Future[list[object] | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = 0
        self._end, self._may_serve = asyncio.Event(), asyncio.Event()
        page = board.page(place)
        page.take_over()
        self._server = Server(options, board, page, given, self._everywhere)

    async def run(self, listening: socket.socket, changes: list[list[str]], *, first: bool) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        loop.add_reader(self._control.fileno(), self._hear)

        async def ready() -> None:
            for change in changes:
                await self._do(Message("do", 0, change))
            channel.send(self._control, Message("ready"))
            if not first:
                await self._may_serve.wait()

        await self._server.run(listening, self._end, ready=ready, loaded_first=not first)

    async def _everywhere(self, verb: str, name: str, format: str) -> None:
        """Raises Refusal."""
        self._numbers += 1
        waiting = self._waiting[self._numbers] = asyncio.get_running_loop().create_future()
        channel.send(self._control, Message("change", self._numbers, [verb, name, format]))
        error = await waiting
        if error is not None:
            raise Refusal(int(str(error[0])), str(error[1]))

    def _hear(self) -> None:
        message = channel.receive(self._control)
        if message is None:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._end.set()
            self._may_serve.set()
        elif message.kind == "serve":
            self._may_serve.set()
        elif message.kind == "do":
            task = asyncio.get_running_loop().create_task(self._done(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif waiting := self._waiting.pop(message.number, None):
            waiting.set_result(message.error)

    async def _done(self, message: Message) -> None:
        channel.send(self._control, Message("done", message.number, error=await self._do(message)))

    async def _do(self, message: Message) -> list[object] | None:
        verb, name, format = message.change
        try:
            await self._server.change(verb, name, format)
        except Refusal as refusal:
            return [refusal.status, str(refusal)]
        except Exception as broken:
            return [500, str(failed(broken))]
        return None
