"""Parameters: as people write them in a line, and as they are sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fairway.pipelines.sdk.artifacts import Artifact
from fairway.pipelines.sdk.failures import Failure


def read(texts: Iterable[str], usage: str = "a parameter is NAME=VALUE") -> dict[str, Any]:
    """NAME=VALUE texts by name; a value is JSON, or plain text where it is not. Raises Failure with `usage`."""
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Failure(f"{usage}, not {text!r}")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values


def sent(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """As the API takes them: an artifact by its id, a path by its text, at any depth of lists."""
    return {name: _sent(value) for name, value in (parameters or {}).items()}


def _sent(value: Any) -> Any:
    if isinstance(value, Artifact):
        return value.id
    if isinstance(value, Path):
        return str(value.absolute())
    return [_sent(item) for item in value] if isinstance(value, list | tuple) else value
