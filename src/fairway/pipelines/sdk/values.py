"""Parameters as people write them in a line: NAME=VALUE, where the value is JSON, or plain text where it is not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from fairway.pipelines.sdk.failures import Failure


def read(texts: Iterable[str], usage: str = "a parameter is NAME=VALUE") -> dict[str, Any]:
    """The values by name. Raises Failure with `usage`."""
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
