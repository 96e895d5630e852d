"""What a step asks for beyond KFP: the FAIRWAY_STEP_* variables of its container's environment.

They travel as plain variables, so that a pipeline with them compiles with the unmodified SDK and runs on any other
backend (docs/pipelines-api.md). A mistake in one, or a variable of that kind that we do not know, refuses the
pipeline. Which pools there are and what a sensor has seen is the engine's to know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fairway.pipelines.ir.model import InvalidPipeline, Options
from fairway.pipelines.ir.values import duration

PREFIX = "FAIRWAY_STEP_"

POOL_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")

_POOL = re.compile(rf"(?P<name>{POOL_NAME.pattern})(?::(?P<slots>[1-9][0-9]{{0,5}}))?")


def read(env: Mapping[str, str], place: str) -> Options:
    """The options among a container's variables. `place` is where the document has them."""
    found: dict[str, Any] = {}
    for name, value in env.items():
        if not name.startswith(PREFIX) or not value.strip():
            continue
        if name not in _READERS:
            raise InvalidPipeline(f"{name} is not an option of a step; known are {', '.join(_READERS)}", place)
        found |= _READERS[name](value.strip(), f"{place}.{name}")
    return Options(**found)


def _pool(value: str, place: str) -> dict[str, Any]:
    match = _POOL.fullmatch(value)
    if match is None:
        raise InvalidPipeline(f"{value!r} is not NAME or NAME:SLOTS, such as 'gpu' or 'gpu:2'", place)
    return {"pool": match["name"], "slots": int(match["slots"] or 1)}


def _approval(value: str, place: str) -> dict[str, Any]:
    return {"approval": value}


def _sensor(value: str, place: str) -> dict[str, Any]:
    given = _settings(value, ("every", "timeout"), place)
    if "every" not in given:
        raise InvalidPipeline("a sensor says how often it looks, such as 'every=30 timeout=3600'", place)
    every = _seconds(given["every"], place)
    if not every:
        raise InvalidPipeline("a sensor cannot look every 0 seconds", place)
    return {"sensor_every": every, "sensor_timeout": _seconds(given.get("timeout", "0"), place)}


def _cache(value: str, place: str) -> dict[str, Any]:
    given = _settings(value, ("max_age", "by"), place)
    by = given.get("by", "")
    if by not in ("", "id", "content"):
        raise InvalidPipeline(f"by={by} is not known: artifacts count by=id or by=content", place)
    return {"cache_max_age": _seconds(given.get("max_age", "0"), place), "cache_by": by}


def _settings(value: str, known: tuple[str, ...], place: str) -> dict[str, str]:
    """Words such as every=30, in any order, each at most once."""
    found: dict[str, str] = {}
    for word in value.split():
        name, equals, content = word.partition("=")
        if name not in known or not equals or not content or name in found:
            raise InvalidPipeline(f"{word!r} is not understood: write {' and '.join(f'{k}=...' for k in known)}", place)
        found[name] = content
    return found


def _seconds(value: str, place: str) -> float:
    try:
        return duration(value)
    except ValueError as wrong:
        raise InvalidPipeline(str(wrong), place) from None


_READERS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    f"{PREFIX}POOL": _pool,
    f"{PREFIX}APPROVAL": _approval,
    f"{PREFIX}SENSOR": _sensor,
    f"{PREFIX}CACHE": _cache,
}
