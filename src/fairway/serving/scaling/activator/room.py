"""One service as the activator knows it: its hall, its meters, and how long its requests wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fairway.kernel.clock import Clock
from fairway.serving.scaling.activator.hall import Hall
from fairway.serving.scaling.activator.meter import Meter


class Room:
    """`wake` is called when a request comes and no pod is there to take it."""

    def __init__(self, name: str, clock: Clock, wake: Callable[[], None]) -> None:
        self.name = name
        self.hall = Hall()
        self.patience = 60.0
        self.meter = Meter(clock.now())
        self._clock, self._wake = clock, wake

    @contextmanager
    def visit(self) -> Iterator[None]:
        """A request is inside, from its coming to the end of its answer."""
        self.meter.enter(self._clock.now())
        if self.hall.empty:
            self._wake()
        try:
            yield
        finally:
            self.meter.leave(self._clock.now())
