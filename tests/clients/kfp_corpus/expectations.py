"""What a pipeline must do when it is run: the values, shared by the tables of every section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

SUCCEEDED, FAILED, CANCELED = "SUCCEEDED", "FAILED", "CANCELED"
REFUSED = "refused"
"""No client can start it: the server says so in a sentence, when it is uploaded or when a run of it is asked for."""


@dataclass(frozen=True)
class AnyOf:
    """An output that is left to chance: one of these."""

    values: tuple[Any, ...]

    def __eq__(self, other: object) -> bool:
        return other in self.values

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return " or ".join(map(repr, self.values))


@dataclass(frozen=True)
class Expectation:
    """`why` explains everything but a plain success, in one line."""

    ends: str = SUCCEEDED
    why: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that the run gives."""
    steps: Mapping[str, str] = field(default_factory=dict)
    """States of tasks by name; of several by one name, all."""
    says: Mapping[str, str] = field(default_factory=dict)
    """A part of the log of a task by name."""
    message: str = ""
    """A part of the sentence with which it fails or is refused."""
    after: tuple[Mapping[str, Any], ...] = ()
    """Arguments of runs that come before, which the judged one must stand on."""
    online: bool = False
    """It needs a package registry."""
    stop_when: str = ""
    """The name of a step: once it runs the client terminates the run."""
    seconds: float = 120.0
    """The longest it may take, on a busy machine."""

    def but(self, **changes: Any) -> Expectation:
        return replace(self, **changes)
