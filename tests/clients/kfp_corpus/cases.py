"""A pipeline that is to be judged, and how it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .expectations import Expectation

VALUES: Mapping[str, Any] = {
    "STRING": "text",
    "NUMBER_INTEGER": 7,
    "NUMBER_DOUBLE": 0.5,
    "BOOLEAN": True,
    "LIST": ["a"],
    "STRUCT": {"A": "1", "B": "2"},
}
"""What a required input is given that no expectation names: upstream's tests take random values of its type."""

_VALID = "test_data/sdk_compiled_pipelines/valid/"


@dataclass(frozen=True)
class Source:
    """A function of a Python file of upstream's, which has to be compiled first."""

    path: str
    function: str
    expected: Expectation = field(default_factory=Expectation)

    @property
    def name(self) -> str:
        return self.path.removeprefix(_VALID)


@dataclass(frozen=True)
class Case:
    """`problem` says why there is no package."""

    name: str
    package: Path
    expected: Expectation
    problem: str = ""

    def arguments(self) -> dict[str, Any]:
        return {**{key: VALUES[kind] for key, kind in self._required().items()}, **self.expected.arguments}

    def tasks(self) -> set[str]:
        """The names of the tasks of the pipeline itself, not of pipelines inside it."""
        return set((self._spec()["root"].get("dag") or {}).get("tasks") or ())

    def _required(self) -> dict[str, str]:
        inputs = (self._spec()["root"].get("inputDefinitions") or {}).get("parameters") or {}
        needed = {
            key: each for key, each in inputs.items() if "defaultValue" not in each and not each.get("isOptional")
        }
        return {key: each["parameterType"] for key, each in needed.items()}

    def _spec(self) -> dict[str, Any]:
        """The pipeline; an empty one where the package is no single file, or something else."""
        if self.package.suffix != ".yaml":
            return {"root": {}}
        document = next(iter(yaml.load_all(self.package.read_text(), yaml.CSafeLoader)))
        return dict(document) if "root" in document else {"root": {}}


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

    @property
    def beyond(self) -> bool:
        """It behaved as it must where something is missing that it needs."""
        return self.as_expected and bool(self.case.expected.beyond) and self.got == self.case.expected.ends
