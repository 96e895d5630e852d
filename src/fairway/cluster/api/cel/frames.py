"""What an expression has while it runs: its budget, its variables, and what it weighed already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairway.cluster.api.cel.failures import OutOfBudget
from fairway.cluster.api.cel.values import weight

_REMEMBERED = 32


class Frame:
    """One run. `left` may fall below zero between two checks; loops and dear functions check it."""

    __slots__ = ("_weights", "left", "values")

    def __init__(self, left: int, values: list[Any]) -> None:
        self.left = left
        self.values = values
        self._weights: dict[int, tuple[Any, int]] = {}

    def pay(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            raise OutOfBudget

    def weigh(self, value: Any) -> int:
        """What it costs to walk all of a value. Weighing walks it too, and is paid for; so it is remembered."""
        if value.__class__ not in (list, dict):
            return len(value) // 10 if value.__class__ in (str, bytes) else 0
        known = self._weights.get(id(value))
        if known is None:
            if len(self._weights) >= _REMEMBERED:
                self._weights.clear()
            total = weight(value, 2 * max(self.left, 0) + 1)
            self.pay(total // 2)
            known = self._weights[id(value)] = (value, total // 20)
        return known[1]


Step = Callable[[Frame], Any]
"""A part of an expression, compiled: from the frame to its value."""
