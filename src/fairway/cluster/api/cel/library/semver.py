"""Semantic versions: read (strictly, or made regular first) and compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import total_ordering

from fairway.cluster.api.cel.failures import EvaluationError
from fairway.cluster.api.cel.library.overloads import Overload, dear, overload, traversal
from fairway.cluster.api.cel.library.quantities import comparisons

_READ = 15
"""What it costs to read a version, however short it is."""
_NUMBER = r"(0|[1-9]\d*)"
_PART = r"(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_FORM = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PART}(?:\.{_PART})*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?", re.ASCII
)


@total_ordering
@dataclass(frozen=True, slots=True)
class Semver:
    numbers: tuple[int, int, int]
    before: tuple[str, ...] = ()
    """What makes it a version before the one of these numbers."""

    def __lt__(self, other: Semver) -> bool:
        return self._order() < other._order()

    def _order(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        parts = tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in self.before)
        return self.numbers, not self.before, parts


def functions() -> Mapping[str, list[Overload]]:
    return {
        "semver": [
            overload("(string) Semver", _semver, dear(_READ, traversal)),
            overload("(string, bool) Semver", _semver, dear(_READ, traversal)),
        ],
        "isSemver": [
            overload("(string) bool", lambda text: _parsed(text, False) is not None, dear(_READ, traversal)),
            overload(
                "(string, bool) bool", lambda text, regular: _parsed(text, regular) is not None, dear(_READ, traversal)
            ),
        ],
        "major": [overload("Semver.() int", lambda one: one.numbers[0])],
        "minor": [overload("Semver.() int", lambda one: one.numbers[1])],
        "patch": [overload("Semver.() int", lambda one: one.numbers[2])],
        **comparisons("Semver"),
    }


def _semver(text: str, regular: bool = False) -> Semver:
    version = _parsed(text, regular)
    if version is None:
        raise EvaluationError(f"Invalid Semver {text!r}: it is major.minor.patch, with -pre-release or +build after it")
    return version


def _parsed(text: str, regular: bool) -> Semver | None:
    match = _FORM.fullmatch(_made_regular(text) if regular else text)
    if match is None or any(int(number) >= 2**64 for number in match.group(1, 2, 3)):
        return None
    numbers = int(match[1]), int(match[2]), int(match[3])
    return Semver(numbers, tuple(match[4].split(".")) if match[4] else ())


def _made_regular(text: str) -> str:
    """Without a `v` before it or zeros before its numbers, and with all three of them."""
    text = text.removeprefix("v")
    end = next((index for index, character in enumerate(text) if character in "-+"), len(text))
    parts = [part.lstrip("0") or "0" if part.isdigit() else part for part in text[:end].split(".")]
    if len(parts) < 3 and end != len(text):
        return text
    return ".".join(parts + ["0"] * (3 - len(parts))) + text[end:]
