"""Durations as kubectl shows them: two units at most, and coarser the longer they are."""

from __future__ import annotations

from fairway.kernel import clock

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86_400, 365 * 86_400
# Up to (seconds): the larger unit, and the smaller one that is shown beside it. Upstream's HumanDuration.
_STEPS = (
    (2 * _MINUTE, (1, "s"), None),
    (10 * _MINUTE, (_MINUTE, "m"), (1, "s")),
    (3 * _HOUR, (_MINUTE, "m"), None),
    (8 * _HOUR, (_HOUR, "h"), (_MINUTE, "m")),
    (2 * _DAY, (_HOUR, "h"), None),
    (8 * _DAY, (_DAY, "d"), (_HOUR, "h")),
    (2 * _YEAR, (_DAY, "d"), None),
    (8 * _YEAR, (_YEAR, "y"), (_DAY, "d")),
)


def text(seconds: float) -> str:
    """
    >>> text(119), text(121), text(600), text(3 * 3600 + 60), text(50 * 3600)
    ('119s', '2m1s', '10m', '3h1m', '2d2h')
    """
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    for limit, (large, letter), small in _STEPS:
        if whole < limit:
            rest = whole % large // small[0] if small else 0
            return f"{whole // large}{letter}" + (f"{rest}{small[1]}" if small and rest else "")
    return f"{whole // _YEAR}y"


def since(timestamp: object, now: float) -> str:
    """How long ago an RFC 3339 text was."""
    if not timestamp:
        return "<unknown>"
    try:
        return text(now - clock.parse(str(timestamp)))
    except ValueError:
        return "<invalid>"
