"""What checks of built-in kinds say, in upstream's words: one `Cause` for each kind of mistake."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

IMMUTABLE = "field is immutable"


def shown(value: Any) -> str:
    return orjson.dumps(value).decode()


def invalid(path: str, value: Any, why: str) -> Cause:
    return Cause(path, f"Invalid value: {shown(value)}: {why}")


def required(path: str, why: str = "") -> Cause:
    return Cause(path, f"Required value: {why}" if why else "Required value", "FieldValueRequired")


def forbidden(path: str, why: str) -> Cause:
    return Cause(path, f"Forbidden: {why}", "FieldValueForbidden")


def unsupported(path: str, value: Any, *allowed: str) -> Cause:
    listed = ", ".join(f'"{word}"' for word in allowed)
    return Cause(path, f"Unsupported value: {shown(value)}: supported values: {listed}", "FieldValueNotSupported")


def duplicate(path: str, value: Any) -> Cause:
    return Cause(path, f"Duplicate value: {shown(value)}", "FieldValueDuplicate")


def words(values: Iterable[Any]) -> set[bytes]:
    """What tells values from each other, for looking up many of them."""
    return {orjson.dumps(value, option=orjson.OPT_SORT_KEYS) for value in values}


def items(parent: Object, key: str) -> list[tuple[int, Object]]:
    value = parent.get(key)
    return [(n, item) for n, item in enumerate(value) if isinstance(item, dict)] if isinstance(value, list) else []
