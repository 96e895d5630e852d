"""The largest number of the last minutes: by it a wish to have fewer pods waits until it has lasted. Pure."""

from __future__ import annotations

import math
from collections import deque


class Peaks:
    """Only numbers that can still become the largest are kept: each is smaller and newer than the one before it."""

    def __init__(self, seconds: float, granularity: float = 2.0) -> None:
        self._granularity = granularity
        self._size = math.ceil(seconds / granularity)
        self._kept: deque[tuple[int, int]] = deque()

    def record(self, now: float, value: int) -> None:
        moment = int(now // self._granularity)
        while self._kept and self._kept[-1][1] <= value:
            self._kept.pop()
        while self._kept and moment - self._kept[0][0] >= self._size:
            self._kept.popleft()
        if self._kept and self._kept[-1][0] == moment:
            return  # the same moment has a larger one already
        self._kept.append((moment, value))

    def largest(self) -> int:
        return self._kept[0][1] if self._kept else 0
