"""Patterns with `*` for anything, `?` for one sign, and a backslash before a sign that is meant literally. Pure.

No text makes a pattern slow: a star that was too greedy is taken back sign by sign, and only the last one ever is.

>>> fits("red-server-1", "*red-server*"), fits("a*", "a\\\\*"), fits("ab", "a?c")
(True, True, False)
"""

from __future__ import annotations

from functools import lru_cache

_ANY, _ONE = "any", "one"


def fits(text: str, pattern: str) -> bool:
    signs = _signs(pattern)
    at = sign = 0
    star, taken = -1, 0
    while at < len(text):
        if sign < len(signs) and signs[sign] in (_ONE, text[at]):
            at, sign = at + 1, sign + 1
        elif sign < len(signs) and signs[sign] == _ANY:
            star, taken = sign, at
            sign += 1
        elif star >= 0:
            taken += 1
            at, sign = taken, star + 1
        else:
            return False
    return all(rest == _ANY for rest in signs[sign:])


@lru_cache(maxsize=256)
def _signs(pattern: str) -> tuple[str, ...]:
    found: list[str] = []
    rest = iter(pattern)
    for sign in rest:
        if sign == "\\":
            found.append(next(rest, "\\"))
        else:
            found.append({"*": _ANY, "?": _ONE}.get(sign, sign))
    return tuple(found)
