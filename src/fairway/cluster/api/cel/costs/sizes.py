"""How large a value may be, and numbers that end somewhere: nothing here exceeds what 64 bits hold."""

from __future__ import annotations

import math
from typing import NamedTuple

MOST = 2**64 - 1
TRAVERSAL = 0.1
"""What one character costs that is looked at."""
PATTERN = 0.25
"""What one character of a pattern counts for."""


class Size(NamedTuple):
    """Characters, bytes, items or entries; scalars are one."""

    least: int
    most: int

    def plus(self, other: Size) -> Size:
        return Size(bounded(self.least + other.least), bounded(self.most + other.most))

    def times(self, other: Size) -> Size:
        return Size(bounded(self.least * other.least), bounded(self.most * other.most))

    def union(self, other: Size) -> Size:
        return Size(min(self.least, other.least), max(self.most, other.most))

    @property
    def traversal(self) -> int:
        return scaled(self.most, TRAVERSAL)


UNKNOWN = Size(0, MOST)
ONE = Size(1, 1)


def fixed(size: int) -> Size:
    return Size(bounded(size), bounded(size))


def bounded(number: int) -> int:
    return min(number, MOST)


def scaled(number: int, factor: float) -> int:
    """
    >>> scaled(11, 0.1), scaled(2**64 - 1, 2.0) == MOST
    (2, True)
    """
    return bounded(math.ceil(number * factor))
