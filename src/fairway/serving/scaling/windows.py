"""Averages of what was measured over the last seconds, in buckets of one second, as Knative's autoscaler keeps them.

A window that is not full yet is divided by the time since its first value; a gap inside counts as zero; an end
without values yet is left out, because values come a little late. Pure: whoever calls says what time it is.
"""

from __future__ import annotations

import math

_LEAST_COEFFICIENT = 0.2
_PRECISION = 0.9999


class Window:
    def __init__(self, seconds: float, granularity: float = 1.0) -> None:
        self._granularity = granularity
        self._size = math.ceil(seconds / granularity)
        self._buckets: dict[int, float] = {}
        self._first = self._last = -1
        """Numbers of the buckets that were written first and last; -1 while there is none."""

    def record(self, now: float, value: float) -> None:
        """Add to the bucket of that moment; what is older than the window is not taken."""
        bucket = self._bucket(now)
        if self._last < 0 or bucket - self._last >= self._size:
            self._buckets.clear()
            self._first = self._last = bucket
        elif bucket > self._last:
            self._last = bucket
            self._forget()
        elif bucket <= self._last - self._size:
            return
        self._first = min(self._first, bucket)
        self._buckets[bucket] = self._buckets.get(bucket, 0.0) + value

    def average(self, now: float) -> float:
        late = max(0, self._bucket(now) - self._last)
        if self.empty(now) or late >= self._size:
            return 0.0
        oldest = self._last + late - self._size
        total = sum(value for bucket, value in self._buckets.items() if bucket > oldest)
        return round(total / min(self._last - self._first + 1, self._size - late), 6)

    def empty(self, now: float) -> bool:
        """Nothing was recorded for longer than the window."""
        return self._last < 0 or self._bucket(now) - self._last > self._size

    def resize(self, seconds: float, now: float) -> None:
        """Another length; what was measured stays as far as it fits."""
        size = math.ceil(seconds / self._granularity)
        if size == self._size:
            return
        if self.empty(now):
            self._buckets.clear()
            self._first = self._last = -1
        else:
            self._first = self._last - self._size + 1
        self._size = size
        self._forget()

    def buckets(self) -> dict[float, float]:
        """What is in it, by the beginning of each bucket."""
        return {bucket * self._granularity: value for bucket, value in sorted(self._buckets.items())}

    def _bucket(self, moment: float) -> int:
        return int(moment // self._granularity)

    def _forget(self) -> None:
        for bucket in [bucket for bucket in self._buckets if bucket <= self._last - self._size]:
            del self._buckets[bucket]


class WeightedWindow(Window):
    """Newer values weigh more: each bucket by the same factor more than the one before it."""

    @property
    def coefficient(self) -> float:
        """Such that all buckets together have a weight of nearly one, and a long window is no plain average."""
        return max(1 - math.pow(1 - _PRECISION, 1 / self._size), _LEAST_COEFFICIENT)

    def average(self, now: float) -> float:
        if self.empty(now):
            return 0.0
        late = max(0, self._bucket(now) - self._last)
        factor = 1 - self.coefficient
        weights = (self.coefficient * factor**age for age in range(late, self._size))
        return sum(weight * self._buckets.get(self._last - back, 0.0) for back, weight in enumerate(weights))
