"""A request's stay in the server, counted: in when it is taken, out when it has its answer or its stream has ended."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace

from fairway.serving.inpod.messages import Answer, Refusal
from fairway.serving.inpod.metrics import ModelMetrics
from fairway.serving.inpod.work import Outcome, Times


class Stay:
    """`times` are those of the phases, where the model has any. `left` is called once, when it is over."""

    def __init__(
        self, metrics: ModelMetrics, protocol: str, left: Callable[[], None], *, explain: bool = False
    ) -> None:
        self.times: Times | None = None
        self._metrics, self._protocol, self._left, self._explain = metrics, protocol, left, explain
        self._began = time.perf_counter()
        metrics.entered()

    def over(self, outcome: Outcome) -> Outcome:
        """What to answer with: the stay ends now, or with the stream."""
        status = outcome.status
        if isinstance(outcome, Answer) and outcome.stream is not None:
            return replace(outcome, stream=_Followed(outcome.stream, lambda: self._leave(status)))
        self._leave(status)
        return outcome

    def refused(self, refusal: Refusal) -> Refusal:
        self._leave(refusal.status)
        return refusal

    def _leave(self, status: int) -> None:
        seconds = time.perf_counter() - self._began
        self._metrics.left(self._protocol, status, seconds, self.times, explain=self._explain)
        self._left()


class _Followed:
    """A stream whose end is told, however it comes; whoever drops it must close it."""

    def __init__(self, stream: AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        self._stream, self._ended, self._told = stream, ended, False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._stream)
        except BaseException:  # StopAsyncIteration too
            self._tell()
            raise

    async def aclose(self) -> None:
        self._tell()
        if close := getattr(self._stream, "aclose", None):
            with suppress(Exception):
                await close()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._ended()
