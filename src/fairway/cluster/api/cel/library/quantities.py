"""Kubernetes' quantities: read, compared, added."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fairway.cluster.api.cel.failures import EvaluationError
from fairway.cluster.api.cel.library.overloads import Overload, dear, overload, traversal
from fairway.kernel.objects import errors, quantities

_READ, _COMPARED = 12, 4
"""What it costs to read a quantity, however short it is, and to compare or add two."""
_FORM = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Quantity:
    amount: Decimal


def functions() -> Mapping[str, list[Overload]]:
    return {
        "quantity": [overload("(string) Quantity", _quantity, dear(_READ, traversal))],
        "isQuantity": [overload("(string) bool", lambda text: _parsed(text) is not None, dear(_READ, traversal))],
        "sign": [overload("Quantity.() int", lambda one: (one.amount > 0) - (one.amount < 0))],
        "isInteger": [overload("Quantity.() bool", lambda one: _integer(one) is not None)],
        "asInteger": [overload("Quantity.() int", _as_integer)],
        "asApproximateFloat": [overload("Quantity.() double", lambda one: float(one.amount))],
        "add": _sums(lambda one, other: one + other),
        "sub": _sums(lambda one, other: one - other),
        **comparisons("Quantity"),
    }


def comparisons(name: str) -> dict[str, list[Overload]]:
    """What things with an order have in common."""
    return {
        "isLessThan": [overload(f"{name}.({name}) bool", lambda one, other: one < other, dear(_COMPARED))],
        "isGreaterThan": [overload(f"{name}.({name}) bool", lambda one, other: one > other, dear(_COMPARED))],
        "compareTo": [
            overload(f"{name}.({name}) int", lambda one, other: (one > other) - (one < other), dear(2 * _COMPARED))
        ],
    }


def _parsed(text: str) -> Decimal | None:
    if not _FORM.fullmatch(text):
        return None
    try:
        return quantities.parse(text)
    except errors.ApiError:
        return None


def _quantity(text: str) -> Quantity:
    amount = _parsed(text)
    if amount is None:
        raise EvaluationError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    return Quantity(amount)


def _integer(one: Quantity) -> int | None:
    whole = int(one.amount)
    return whole if whole == one.amount and -(2**63) <= whole < 2**63 else None


def _as_integer(one: Quantity) -> int:
    whole = _integer(one)
    if whole is None:
        raise EvaluationError("cannot convert value to integer")
    return whole


def _sums(work: Callable[[Decimal, Decimal], Decimal]) -> list[Overload]:
    def summed(one: Quantity, other: Any) -> Quantity:
        return Quantity(work(one.amount, other.amount if isinstance(other, Quantity) else Decimal(other)))

    return [
        overload("Quantity.(Quantity) Quantity", summed, dear(_COMPARED)),
        overload("Quantity.(int) Quantity", summed, dear(_COMPARED)),
    ]
