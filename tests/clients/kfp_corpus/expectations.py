"""What a pipeline must do when it is run: the value, shared by the tables of every section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

SUCCEEDED, FAILED, CANCELED = "SUCCEEDED", "FAILED", "CANCELED"
REFUSED = "refused"
"""No client can start it: the server says so in a sentence, when it is uploaded or when a run of it is asked for."""
WAITS = "waits"
"""A step waits, and says what for, in `message`; the client then terminates the run."""

FOLDER = "$FOLDER"
"""In arguments: a folder of the case's own."""


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
    ends: str = SUCCEEDED
    why: str = ""
    """Why it ends otherwise than well, in one line."""
    beyond: str = ""
    """What it needs and no machine of ours has. Without it the run must still end as `ends` and `message` say."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[Mapping[str, Any], ...] = ()
    """Arguments of runs that come before the one that is judged."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Files in the case's folder before it begins."""
    leaves: Mapping[str, str] = field(default_factory=dict)
    """Files in the case's folder once it is over."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that the run gives."""
    steps: Mapping[str, str] = field(default_factory=dict)
    """States of tasks by name; where several have the name, of all of them."""
    says: Mapping[str, str] = field(default_factory=dict)
    """A part of the log of a task by name; where several have the name, of one of them."""
    message: str = ""
    """A part of the sentence with which it fails, waits or is refused."""
    online: bool = False
    """It needs a package registry."""
    stop_when: str = ""
    """The name of a step: once it runs the client terminates the run."""
    seconds: float = 120.0
    """The longest it may take, on a busy machine."""

    def but(self, **changes: Any) -> Expectation:
        return replace(self, **changes)


def refused(message: str, why: str) -> Expectation:
    return Expectation(REFUSED, why, message=message)


def fails(message: str, why: str, **more: Any) -> Expectation:
    return Expectation(FAILED, why, message=message, **more)


def beyond(what: str, message: str, **more: Any) -> Expectation:
    """It needs `what`, and says so with `message`."""
    return Expectation(more.pop("ends", FAILED), beyond=what, message=message, **more)


def gives(output: Any = None, /, *, online: bool = False, **arguments: Any) -> Expectation:
    """The run succeeds with these arguments; `output`, where there is one, is its only output."""
    return Expectation(arguments=arguments, outputs={} if output is None else {"Output": output}, online=online)
