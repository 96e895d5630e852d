"""Regular expressions, in RE2's dialect and in linear time: `matches`, `find` and `findAll`.

Python's own engine takes exponential time on some patterns, which would let one rule hold the server. Where the
package is not installed, expressions with patterns do not compile, and say why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.cluster.api.cel.failures import EvaluationError
from fairway.cluster.api.cel.library.overloads import Overload, overload
from fairway.kernel.objects import patterns

_INSTRUCTIONS = 40
"""So many of a pattern's program are worth a unit for each character, where all of them may be at work."""
_SEARCH, _EACH_FOUND = 15, 10
"""What a search costs however short the text is, and each part of it that is found."""
_REFUSED_PATTERN = 5_000
"""What it costs to find out that a text is no pattern, or one that is too large."""


def functions() -> Mapping[str, list[Overload]]:
    return {
        "matches": [
            overload("string.(string) bool", matches, _cost),
            overload("(string, string) bool", matches, _cost),
        ],
        "find": [overload("string.(string) string", _find, _cost)],
        "findAll": [
            overload("string.(string) list(string)", _find_all, _cost_of_all),
            overload("string.(string, int) list(string)", _find_all, _cost_of_all),
        ],
    }


def compiled(pattern: str) -> Any:
    """The expression. Raises ValueError with what is wrong with it."""
    if not patterns.LINEAR:
        raise ValueError("this server has no engine for regular expressions: install the package google-re2")
    return patterns.compiled(pattern)


def matches(text: str, pattern: str) -> bool:
    return _compiled(pattern).search(text) is not None


def _compiled(pattern: str) -> Any:
    try:
        return compiled(pattern)
    except ValueError as problem:
        raise EvaluationError(str(problem)) from None


def _find(text: str, pattern: str) -> str:
    found = _compiled(pattern).search(text)
    return str(found.group(0)) if found else ""


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    found: list[str] = []
    if most == 0:
        return found
    for match in _compiled(pattern).finditer(text):
        found.append(match.group(0))
        if len(found) == most:
            break
    return found


def _cost(text: str, pattern: str, *_: int) -> int:
    """Upstream's price, or ours where a long program may be at work on each character; and the pattern is compiled."""
    program = _program(pattern)
    walked = -(-(1 + len(text)) // 10) * -(-len(pattern) // 4)
    return max(walked, len(text) * program // _INSTRUCTIONS) + program + _SEARCH


def _cost_of_all(text: str, pattern: str, most: int = -1) -> int:
    found = len(text) + 1 if most < 0 else min(most, len(text) + 1)
    return _cost(text, pattern) + _EACH_FOUND * found


def _program(pattern: str) -> int:
    """How many instructions the pattern has."""
    try:
        return int(compiled(pattern).programsize)
    except ValueError:
        return _REFUSED_PATTERN
