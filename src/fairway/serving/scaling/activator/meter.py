"""How many requests were inside over time: the average since the last look, and how many came and went. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """Since the last look: requests inside on average, and how many came and left each second."""

    inside: float = 0.0
    came: float = 0.0
    left: float = 0.0


class Meter:
    def __init__(self, now: float) -> None:
        self.inside = 0
        self._since = self._changed = now
        self._area = 0.0
        self._came = self._left = 0

    def enter(self, now: float) -> None:
        self._advance(now)
        self.inside += 1
        self._came += 1

    def leave(self, now: float) -> None:
        self._advance(now)
        self.inside -= 1
        self._left += 1

    def look(self, now: float) -> Seen:
        self._advance(now)
        passed = now - self._since
        if passed <= 0:
            return Seen(inside=float(self.inside))
        seen = Seen(self._area / passed, self._came / passed, self._left / passed)
        self._since, self._area, self._came, self._left = now, 0.0, 0, 0
        return seen

    def _advance(self, now: float) -> None:
        self._area += self.inside * max(0.0, now - self._changed)
        self._changed = max(now, self._changed)
