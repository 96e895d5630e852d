"""Several processes that serve on one address: forked, looked after, replaced where one dies, ended together.

This process serves nothing itself. Its workers share the listening socket (gRPC's are opened side by side) and the
pages of the board, so that any of them shows the metrics of all. Each has a channel to here (`channel`): what one is
asked to load or unload, all do, and one that takes a dead one's place does too. Where this process dies, the channels
end, and the workers with them. It is synchronous, and starts no thread, because it forks.
"""

from __future__ import annotations

import argparse
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from fairway.serving.inpod import channel, worker
from fairway.serving.inpod.board import Board
from fairway.serving.inpod.channel import Message
from fairway.serving.inpod.places import Loader

_QUICK_DEATH = 5.0
"""Seconds. A worker that lives no longer is replaced a little later each time."""


def run(options: argparse.Namespace, listening: socket.socket, given: Mapping[str, Loader] | None) -> int:
    """The exit code. What a worker could not do, it has said itself."""
    return Workers(options, listening, given).run()


@dataclass(slots=True)
class Worker:
    pid: int
    channel: socket.socket
    began: float
    ready: bool = False


@dataclass(slots=True)
class Asked:
    """A change that is being made: who asked, who has not answered, and the first error."""

    asker: int
    number: int
    change: list[str]
    waiting: set[int] = field(default_factory=set)
    error: list[object] | None = None


class Workers:
    def __init__(
        self, options: argparse.Namespace, listening: socket.socket, given: Mapping[str, Loader] | None
    ) -> None:
        self._options, self._listening, self._given = options, listening, given
        self._board = Board(options.workers)
        self._workers: dict[int, Worker] = {}
        self._due: dict[int, float] = {}  # when a dead one is replaced
        self._deaths: dict[int, int] = {}
        self._asked: dict[int, Asked] = {}
        self._changes: dict[str, list[str]] = {}  # by model: what a new worker does after it has loaded
        self._numbers = 0
        self._early: int | None = 0  # the one that takes requests while it loads
        self._ending = False
        self._code = 0
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        bell, ring = os.pipe()
        for end in (bell, ring):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(bell, selectors.EVENT_READ, -1)
        self._listening.listen(1024)
        for place in range(self._options.workers):
            self._start(place, first=place == 0)
        while self._workers or self._due:
            for key, _ in self._selector.select(self._patience()):
                if key.data == -1:
                    with suppress(BlockingIOError):
                        os.read(bell, 4096)
                elif key.data in self._workers:
                    self._hear(key.data)
            self._bury()
            self._replace()
        return self._code

    def _start(self, place: int, *, first: bool = False) -> None:
        ours, theirs = channel.pair()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            for other in self._workers.values():
                other.channel.close()
            ours.close()
            changes = [*self._changes.values(), *(asked.change for asked in self._asked.values())]
            worker.live(
                self._options, self._listening, self._board, place, theirs, self._given, changes, first=first
            )  # fmt: skip
        theirs.close()
        self._workers[place] = Worker(pid, ours, time.monotonic())
        self._selector.register(ours, selectors.EVENT_READ, place)

    # What workers say.

    def _hear(self, place: int) -> None:
        message = channel.receive(self._workers[place].channel)
        if message is None:
            return  # it is dead, and about to be buried
        if message.kind == "ready":
            self._is_ready(place)
        elif message.kind == "change":
            self._ask(place, message)
        elif message.number in self._asked:
            asked = self._asked[message.number]
            asked.error = asked.error or message.error
            self._answered(asked, place)

    def _is_ready(self, place: int) -> None:
        self._workers[place].ready = True
        if place == self._early:
            self._early = None
        self._let_serve()
        if all(each.ready for each in self._workers.values()) and not (self._deaths or self._ending):
            host, port = self._listening.getsockname()[:2]
            what = ", ".join(self._given) if self._given else self._options.model_name
            print(f"Serving {what} on http://{host}:{port} in {len(self._workers)} processes", flush=True)

    def _let_serve(self) -> None:
        """All that are ready, once nobody takes requests who is not: else some are answered, some told to wait."""
        if self._early is None:
            for each in self._workers.values():
                if each.ready:
                    channel.send(each.channel, Message("serve"))

    def _ask(self, place: int, message: Message) -> None:
        self._numbers += 1
        asked = Asked(place, message.number, message.change, set(self._workers))
        self._asked[self._numbers] = asked
        for other in self._workers.values():
            channel.send(other.channel, Message("do", self._numbers, message.change))

    def _answered(self, asked: Asked, place: int) -> None:
        asked.waiting.discard(place)
        if asked.waiting:
            return
        self._asked = {number: each for number, each in self._asked.items() if each is not asked}
        if asked.error is None:
            self._changes[asked.change[1]] = asked.change
        if asked.asker in self._workers:
            channel.send(self._workers[asked.asker].channel, Message("done", asked.number, error=asked.error))

    # Life and death.

    def _end(self, *_: object) -> None:
        """SIGTERM: the workers drain."""
        self._ending = True
        self._due.clear()
        self._listening.close()  # theirs are open until they have drained
        for each in self._workers.values():
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGTERM)

    def _bury(self) -> None:
        for place, each in list(self._workers.items()):
            pid, status = os.waitpid(each.pid, os.WNOHANG)
            if not pid:
                continue
            self._selector.unregister(each.channel)
            each.channel.close()
            del self._workers[place]
            if place == self._early:
                self._early = None
                self._let_serve()
            for asked in list(self._asked.values()):
                self._answered(asked, place)
            if not self._ending:
                self._died(place, each, os.waitstatus_to_exitcode(status))

    def _died(self, place: int, each: Worker, code: int) -> None:
        """One that cannot serve ends all, if it never could; one that was killed is replaced."""
        if code > 0 and not each.ready:
            self._code = code
            self._end()
            return
        quick = time.monotonic() - each.began < _QUICK_DEATH
        self._deaths[place] = self._deaths.get(place, 0) + 1 if quick else 1
        pause = min(10.0, 0.1 * 2 ** min(self._deaths[place] - 1, 10)) if quick else 0.0
        print(f"The worker {place} ended with {code}; another takes its place.", file=sys.stderr, flush=True)
        self._due[place] = time.monotonic() + pause

    def _replace(self) -> None:
        for place, when in list(self._due.items()):
            if when <= time.monotonic():
                del self._due[place]
                self._start(place)

    def _patience(self) -> float | None:
        return max(0.0, min(self._due.values()) - time.monotonic()) if self._due else None
