"""How often somebody may do something: some times at once, and then so many a second. In memory, of one server."""

from __future__ import annotations

from fairway.kernel.clock import Clock

_MOST_REMEMBERED = 1000


class Rates:
    """One bucket for each key. Who was not heard of for long starts with a full one."""

    def __init__(self, clock: Clock, *, at_once: int, per_second: float) -> None:
        self._clock, self._at_once, self._per_second = clock, at_once, per_second
        self._left: dict[str, tuple[float, float]] = {}

    def allow(self, key: str) -> bool:
        """Whether it may be done once more, now."""
        now = self._clock.now()
        left, at = self._left.pop(key, (float(self._at_once), now))
        left = min(self._at_once, left + max(0.0, now - at) * self._per_second)
        while len(self._left) >= _MOST_REMEMBERED:
            del self._left[next(iter(self._left))]
        self._left[key] = (left - 1 if left >= 1 else left, now)
        return left >= 1
