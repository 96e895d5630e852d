"""A pipeline that is to be judged, and how it was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .expectations import Expectation


@dataclass(frozen=True)
class Case:
    name: str
    package: Path
    expected: Expectation


@dataclass(frozen=True)
class Verdict:
    """`got` is the state of the run, or what came in its place; `reason` says why it is not what it must be."""

    case: Case
    got: str
    seconds: float
    reason: str = ""

    @property
    def as_expected(self) -> bool:
        return not self.reason
