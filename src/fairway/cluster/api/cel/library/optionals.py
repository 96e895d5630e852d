"""Optional values: made, asked and chained. `optMap` and `optFlatMap` are macros."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.cluster.api.cel.failures import EvaluationError
from fairway.cluster.api.cel.library.overloads import Overload, overload
from fairway.cluster.api.cel.values import NONE, Duration, Optional, Timestamp, some


def functions() -> Mapping[str, list[Overload]]:
    return {
        "optional.of": [overload("(A) optional_type(A)", some)],
        "optional.ofNonZeroValue": [
            overload("(A) optional_type(A)", lambda value: NONE if _zero(value) else some(value))
        ],
        "optional.none": [overload("() optional_type(A)", lambda: NONE)],
        "value": [overload("optional_type(A).() A", _value)],
        "hasValue": [overload("optional_type(A).() bool", lambda one: one.there)],
        "or": [overload("optional_type(A).(optional_type(A)) optional_type(A)", _never)],
        "orValue": [overload("optional_type(A).(A) A", _never)],
        "optional.unwrap": [overload("(list(optional_type(A))) list(A)", _unwrapped)],
        "unwrapOpt": [overload("list(optional_type(A)).() list(A)", _unwrapped)],
        "_[?_]": [
            overload("(list(A), int) optional_type(A)", _never),
            overload("(map(A, B), A) optional_type(B)", _never),
            overload("(optional_type(list(A)), int) optional_type(A)", _never),
            overload("(optional_type(map(A, B)), A) optional_type(B)", _never),
        ],
        "_[_]": [
            overload("(optional_type(list(A)), int) optional_type(A)", _never),
            overload("(optional_type(map(A, B)), A) optional_type(B)", _never),
        ],
    }


def _never(*_: Any) -> Any:
    raise AssertionError("the operator is built, not called")


def _zero(value: Any) -> bool:
    if isinstance(value, Duration):
        return value.nanoseconds == 0
    if isinstance(value, Timestamp):
        return value.nanoseconds == -62135596800 * 10**9
    return not value


def _value(one: Optional) -> Any:
    if not one.there:
        raise EvaluationError("optional.none() dereference")
    return one.value


def _unwrapped(items: list[Optional]) -> list[Any]:
    return [one.value for one in items if one.there]
