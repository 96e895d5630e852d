"""A model or program that is loaded and takes requests: its lane, and how each kind of it answers.

A `Model` goes through `batching` in a thread of its lane, a slow `Program` through the lane message by message; an
asynchronous one answers on the event loop, and ends where its client hangs up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import cast

from fairway.serving.inpod.batching import GONE, Batches, failed, written
from fairway.serving.inpod.lanes import Finished, Lane, Limits
from fairway.serving.inpod.messages import Answer, Call, Refusal, encode
from fairway.serving.inpod.metrics import ModelMetrics
from fairway.serving.inpod.model import Leans, LimitsItself, Model, Program, Reply, Signature, Speaks
from fairway.serving.inpod.stays import Stay
from fairway.serving.inpod.work import Dialogue, Outcome, Ticket

_THREADS_OF_PROGRAMS = 16
_REACH = 3.0
"""Seconds in which those that a program leans on say that they are ready; probes wait no longer."""


class Served:
    """`version` is what the protocols call it."""

    def __init__(
        self,
        name: str,
        thing: Model | Program,
        version: str,
        limits: Limits,
        metrics: ModelMetrics,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.name, self.thing, self.version = name, thing, version
        self._loop, self._limits, self._metrics = loop, limits, metrics
        self._tasks: set[asyncio.Task[None]] = set()
        self._stays = 0
        self._quiet = asyncio.Event()  # set while nobody has a stay here
        self._quiet.set()
        self._at_work = asyncio.Semaphore(limits.threads) if limits.strict else None
        if is_program(thing):
            perform: Callable[[Sequence[Ticket], Finished], None] = partial(_answer_each, cast(Program, thing))
            together = False
            if not limits.strict:  # what a user wrote may wait for others, as a transformer does for its predictor
                limits = replace(limits, threads=max(limits.threads, _THREADS_OF_PROGRAMS))
        else:
            model = cast(Model, thing)
            batches = Batches(model, limits.batch)
            perform, together = batches, batches.together
            limits = limits.one_at_a_time() if model.one_at_a_time else limits
        self.batch = limits.batch if together else 1
        """How many rows may be laid together."""
        self._lane = Lane(name, perform, limits if together else limits.apart(), loop)

    @property
    def signature(self) -> Signature:
        return self.thing.signature

    @property
    def explains(self) -> bool:
        """Only what a user wrote may have an explainer; whether it has, it says itself."""
        return is_program(self.thing)

    @property
    def paths(self) -> tuple[str, ...]:
        """Those that it answers itself."""
        return self.thing.paths if isinstance(self.thing, Speaks) else ()

    @property
    def leans(self) -> bool:
        """Whether being ready depends on others, too."""
        return isinstance(self.thing, Leans) and self.thing.leaning

    async def reachable(self) -> bool:
        """Whether those others answer, as far as a moment tells."""
        if not (isinstance(self.thing, Leans) and self.thing.leaning):
            return True
        with suppress(TimeoutError):
            return await asyncio.wait_for(self.thing.reachable(), _REACH)
        return False

    def take(
        self,
        dialogue: Dialogue,
        protocol: str,
        alive: Callable[[], bool],
        done: Callable[[Outcome], None],
        *,
        explain: bool = False,
    ) -> Callable[[], object] | None:
        """Answer a request by calling `done` later; gives what ends it early, where something can. Raises Refusal."""
        stay = self._enter(protocol, explain=explain)
        ticket = Ticket(dialogue, lambda outcome: done(stay.over(outcome)), alive, time.perf_counter())
        try:
            cancel = self._submit(ticket)
        except Refusal as refusal:
            raise stay.refused(refusal) from None
        stay.times = ticket.times
        return cancel

    async def speak(self, call: Call) -> Answer:
        """The answer of a program to a path of its own. Raises Refusal."""
        request, speaking = call.request, cast(Speaks, self.thing)
        turn = self._turn()
        stay = self._enter("own", turn)
        outcome: Outcome = GONE
        try:
            if turn:
                await turn.come()
            reply = await speaking.speak(request.method, request.path, request.query, request.headers, request.body)
            body = b"" if reply.body is None else reply.body if isinstance(reply.body, bytes) else encode(reply.body)
            outcome = Answer(reply.status, body, reply.content_type, reply.headers, stream=reply.stream)
        except Refusal as refusal:
            outcome = refusal
        except Exception as broken:
            outcome = failed(broken)
        finally:
            outcome = stay.over(outcome)
        return outcome.answer() if isinstance(outcome, Refusal) else outcome

    def _turn(self) -> _Turn | None:
        """None where nobody set a limit, or the program keeps it. Raises Refusal."""
        itself = isinstance(self.thing, LimitsItself) and self.thing.limits_itself
        if self._at_work is None or itself:
            return None
        try:
            self._check_room(self._stays)
        except Refusal as refusal:
            raise self._enter("own").refused(refusal) from None
        return _Turn(self._at_work)

    def _check_room(self, inside: int) -> None:
        if inside >= self._limits.threads + self._limits.waiting:
            raise Refusal(503, "Too many requests are waiting for this model; try again in a moment.", Retry_After="1")

    def _submit(self, ticket: Ticket) -> Callable[[], object] | None:
        if not (is_program(self.thing) and cast(Program, self.thing).asynchronous):
            self._lane.submit(ticket)
            return None
        self._check_room(len(self._tasks))
        task = self._loop.create_task(self._converse(cast(Program, self.thing), ticket))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task.cancel

    def _enter(self, protocol: str, turn: _Turn | None = None, *, explain: bool = False) -> Stay:
        self._stays += 1
        self._quiet.clear()
        return Stay(self._metrics, protocol, lambda: self._left(turn), explain=explain)

    def _left(self, turn: _Turn | None) -> None:
        self._stays -= 1
        if turn:
            turn.over()
        if not self._stays:
            self._quiet.set()

    async def close(self, *, patient: bool = True) -> None:
        """Let go of the model once what is inside is done: if `patient`, streams and what a program speaks, too."""
        await self._lane.close()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))
        if patient:
            await self._quiet.wait()
        await self._loop.run_in_executor(None, self.thing.close)

    async def _converse(self, program: Program, ticket: Ticket) -> None:
        try:
            if self._at_work:
                async with self._at_work:
                    await self._conversed(program, ticket)
            else:
                await self._conversed(program, ticket)
        except asyncio.CancelledError:
            ticket.outcome = GONE
        except Refusal as refusal:
            ticket.outcome = refusal
        except Exception as broken:
            ticket.outcome = failed(broken)
        ticket.done(ticket.outcome or GONE)

    async def _conversed(self, program: Program, ticket: Ticket) -> None:
        begin = time.perf_counter()
        message = ticket.dialogue.message()
        read = time.perf_counter()
        reply = await cast(Awaitable[Reply], program.answer(message))
        answered = time.perf_counter()
        ticket.outcome = written(lambda: ticket.dialogue.reply(reply))
        _clock(ticket, begin, read, answered)


class _Turn:
    """A place among those that are at work, waited for, and had until its stay is over."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places, self._has_one = places, False

    async def come(self) -> None:
        await self._places.acquire()
        self._has_one = True

    def over(self) -> None:
        if self._has_one:
            self._places.release()


def is_program(thing: Model | Program) -> bool:
    return hasattr(thing, "answer")


def _answer_each(program: Program, tickets: Sequence[Ticket], finished: Finished) -> None:
    """In a thread."""
    for ticket in tickets:
        ticket.outcome = _answered(program, ticket)
        finished((ticket,))


def _answered(program: Program, ticket: Ticket) -> Outcome:
    begin = time.perf_counter()
    if not ticket.alive():
        return GONE
    try:
        message = ticket.dialogue.message()
        read = time.perf_counter()
        reply = cast(Reply, program.answer(message))
        answered = time.perf_counter()
        outcome = written(lambda: ticket.dialogue.reply(reply))
    except Refusal as refusal:
        return refusal
    except Exception as broken:
        return failed(broken)
    _clock(ticket, begin, read, answered)
    return outcome


def _clock(ticket: Ticket, begin: float, read: float, answered: float) -> None:
    times = ticket.times
    times.queued, times.read, times.predict = begin - ticket.since, read - begin, answered - read
    times.write, times.batch = time.perf_counter() - answered, 1
