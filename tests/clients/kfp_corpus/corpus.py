"""The section of the 150 compiled pipelines: arguments and expectations of our own for those that need some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from .cases import Case
from .expectations import FAILED, REFUSED, Expectation

VALUES: Mapping[str, Any] = {
    "STRING": "text",
    "NUMBER_INTEGER": 7,
    "NUMBER_DOUBLE": 0.5,
    "BOOLEAN": True,
    "LIST": ["a"],
    "STRUCT": {"A": "1", "B": "2"},
}
"""What stands for a required input that no expectation names: upstream's tests take random values of the type."""

EXPECTATIONS: Mapping[str, Expectation] = {
    "failing/fail_v2": Expectation(FAILED, "upstream expects it to fail"),
    "failing/pipeline_with_exit_handler": Expectation(FAILED, "upstream expects it to fail"),
    "failing/pipeline_with_multiple_exit_handlers": Expectation(FAILED, "upstream expects it to fail"),
    "input_artifact": Expectation(REFUSED, "takes an artifact as input of the run"),
}


def cases(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.rglob("*.yaml")):
        name = str(path.relative_to(folder))[: -len(".yaml")]
        expected = EXPECTATIONS.get(name, Expectation())
        yield Case(name, path, expected.but(arguments={**_required(path), **expected.arguments}))


def _required(path: Path) -> dict[str, Any]:
    spec = next(iter(yaml.load_all(path.read_text(), yaml.CSafeLoader)))
    inputs = (spec["root"].get("inputDefinitions") or {}).get("parameters") or {}
    needed = {key: each for key, each in inputs.items() if "defaultValue" not in each and not each.get("isOptional")}
    return {key: VALUES[each["parameterType"]] for key, each in needed.items()}
