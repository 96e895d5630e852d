"""Copies of requests and answers on their way to a sink: bounded, and never in the way of a request.

An `Entry` is one request with its answer, which become an event each. What comes while the queue is full is dropped and
counted; a body longer than the limit is cut and marked. Events are given to the sink by themselves or in batches, tried
three times, and what remains at the end is given up after a few seconds.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.relay.inbound import Call

REQUEST = "org.kubeflow.serving.inference.request"
RESPONSE = "org.kubeflow.serving.inference.response"

_PAUSES = (0.2, 1.0)
_LAST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Event:
    """`metadata` are the headers that were asked for, each with its values. `status` is an answer's."""

    type: str
    id: str
    time: datetime
    data: bytes
    content_type: str
    encoding: str
    metadata: Mapping[str, list[str]]
    status: int = 0
    cut: bool = False


class Undelivered(Exception):
    """The sink did not take it. `final` where another try would end in the same way."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


class Sink(Protocol):
    async def deliver(self, events: list[Event]) -> None:
        """Raises Undelivered."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """What is recorded, and how much of it is held."""

    requests: bool = True
    answers: bool = True
    headers: tuple[str, ...] = ()
    batch: int = 1
    interval: float = 0.0
    """Seconds after which a batch that is not full goes; 0 waits until it is."""
    workers: int = 5
    most_events: int = 1000
    most_bytes: int = 64 * 1024 * 1024
    most_body: int = 8 * 1024 * 1024


@dataclass(slots=True)
class Counts:
    delivered: int = 0
    failed: int = 0
    dropped: int = 0


class Journal:
    def __init__(self, sink: Sink, terms: Terms) -> None:
        self._sink, self.terms = sink, terms
        self._events: deque[Event] = deque()
        self._bytes = self._busy = 0
        self._more, self._calm = asyncio.Event(), asyncio.Event()
        self._closing = False
        self._told = ""
        self.counts = Counts()

    @property
    def waiting(self) -> int:
        return len(self._events)

    def entry(self, call: Call) -> Entry:
        return Entry(self, call)

    def add(self, event: Event) -> None:
        full = len(self._events) >= self.terms.most_events or self._bytes + len(event.data) > self.terms.most_bytes
        if full:
            self.counts.dropped += 1
            return
        self._bytes += len(event.data)
        self._events.append(event)
        self._more.set()

    async def run(self) -> None:
        """Deliver until cancelled. Batches go one after the other, so that each has the next of the events."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.terms.workers if self.terms.batch == 1 else 1):
                tasks.create_task(self._work())

    async def close(self) -> None:
        """Give out what is there, for some seconds at most."""
        self._closing = True
        self._more.set()
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                while self._events or self._busy:
                    self._calm.clear()
                    await self._calm.wait()
        except TimeoutError:
            self.counts.failed += len(self._events)

    async def _work(self) -> None:
        while True:
            events = await self._next()
            self._busy += 1
            try:
                await self._deliver(events)
            finally:
                self._busy -= 1
                self._calm.set()

    async def _next(self) -> list[Event]:
        """The events of the next batch."""
        while not self._events:
            self._more.clear()
            await self._more.wait()
        loop = asyncio.get_running_loop()
        end = loop.time() + self.terms.interval if self.terms.interval else None
        while len(self._events) < self.terms.batch and not self._closing:
            self._more.clear()
            left = None if end is None else end - loop.time()
            if left is not None and left <= 0:
                break
            try:
                async with asyncio.timeout(left):
                    await self._more.wait()
            except TimeoutError:
                break
        events = [self._events.popleft() for _ in range(min(self.terms.batch, len(self._events)))]
        self._bytes -= sum(len(event.data) for event in events)
        return events

    async def _deliver(self, events: list[Event]) -> None:
        for pause in (*_PAUSES, None):
            try:
                await self._sink.deliver(events)
            except Undelivered as failure:
                if pause is not None and not failure.final:
                    await asyncio.sleep(pause)
                    continue
                self.counts.failed += len(events)
                self._say(str(failure))
            except Exception as broken:  # it costs these events, and not all that come after them
                self.counts.failed += len(events)
                self._say(f"{type(broken).__name__}: {broken}")
            else:
                self.counts.delivered += len(events)
            return

    def _say(self, why: str) -> None:
        """Once for each reason, so that a sink which is away for hours fills no log."""
        if why != self._told:
            self._told = why
            print(f"Events are lost: {why}", flush=True)


@dataclass(slots=True)
class Entry:
    """One request with its answer, as they pass."""

    journal: Journal
    call: Call
    _id: str = ""
    _metadata: dict[str, list[str]] = field(default_factory=dict)
    _request: list[bytes] = field(default_factory=list)
    _answer: list[bytes] = field(default_factory=list)
    _sizes: list[int] = field(default_factory=lambda: [0, 0])
    _began: datetime = field(default_factory=lambda: datetime.now(UTC))
    _status: int = 0
    _headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        headers = self.call.head.headers
        self._id = headers.get("ce-id") or str(uuid.uuid4())
        for name in self.journal.terms.headers:
            if name.lower() in headers:
                self._metadata[name] = [value.strip() for value in headers[name.lower()].split(",")]

    def of_request(self, payload: bytes) -> None:
        self._take(0, self._request, payload)

    def of_answer(self, payload: bytes) -> None:
        self._take(1, self._answer, payload)

    def request_is_whole(self) -> None:
        if self.journal.terms.requests:
            self._add(REQUEST, self._request, 0, self._began, self.call.head.headers)

    def answer_begins(self, status: int, headers: Mapping[str, str]) -> None:
        self._status, self._headers = status, headers

    def answer_is_whole(self) -> None:
        if self.journal.terms.answers:
            self._add(RESPONSE, self._answer, 1, datetime.now(UTC), self._headers)

    def refused(self, refusal: Refusal) -> None:
        """Nobody behind us answered: we did."""
        answer = refusal.answer()
        self.answer_begins(answer.status, {"content-type": answer.content_type})
        self.of_answer(answer.body)
        self.answer_is_whole()

    def _take(self, which: int, parts: list[bytes], payload: bytes) -> None:
        left = self.journal.terms.most_body - self._sizes[which]
        self._sizes[which] += len(payload)
        if left > 0 and (self.journal.terms.answers if which else self.journal.terms.requests):
            parts.append(payload[:left])

    def _add(self, type_: str, parts: list[bytes], which: int, at: datetime, headers: Mapping[str, str]) -> None:
        self.journal.add(
            Event(
                type=type_,
                id=self._id,
                time=at,
                data=b"".join(parts),
                content_type=headers.get("content-type", ""),
                encoding=headers.get("content-encoding", ""),
                metadata=self._metadata,
                status=self._status if which else 0,
                cut=self._sizes[which] > self.journal.terms.most_body,
            )
        )
        parts.clear()
