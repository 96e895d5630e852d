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


def functions() -> Mapping[str, list[Overload]]:
    return {
        "matches": [
            overload("string.(string) bool", matches, _cost),
            overload("(string, string) bool", matches, _cost),
        ],
        "find": [overload("string.(string) string", _find, _cost)],
        "findAll": [
            overload("string.(string) list(string)", _find_all, _cost),
            overload("string.(string, int) list(string)", _find_all, _cost),
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
    return -(-(1 + len(text)) // 10) * -(-len(pattern) // 4)
