"""Durations as the Gateway API writes them: 10s, 1m30s, 500ms. Pure.

>>> seconds("1m30s"), seconds("500ms")
(90.0, 0.5)
"""

from __future__ import annotations

import re

_FORM = re.compile(r"(\d{1,5}(h|m|s|ms)){1,4}")
_PART = re.compile(r"(\d+)(ms|h|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(text: str) -> float:
    """Raises ValueError where the text is no duration."""
    if not _FORM.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration such as 10s, 1m30s or 500ms")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def envoy(text: str) -> str:
    """The same in the form that Envoy's JSON wants."""
    return f"{seconds(text):.3f}".rstrip("0").rstrip(".") + "s"
