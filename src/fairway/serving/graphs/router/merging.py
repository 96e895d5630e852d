"""An Ensemble's answers made into one, row by row: their average, what most of them say, or all one after the other.

V1 answers give `predictions`; V2 answers in JSON give `outputs`, of which those with one name belong together. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import orjson

WAYS = ("average", "majority", "concatenate")


class CannotMerge(Exception):
    """The text says why, without a full stop."""


def merge(way: str, answers: Sequence[Any]) -> Any:
    """Raises CannotMerge."""
    if not answers:
        raise CannotMerge("no step answered with success")
    if all(isinstance(one, dict) and isinstance(one.get("predictions"), list) for one in answers):
        return {"predictions": _rows(way, [one["predictions"] for one in answers])}
    if all(isinstance(one, dict) and _are_tensors(one.get("outputs")) for one in answers):
        return _merge_v2(way, answers)
    raise CannotMerge("the steps do not all answer with predictions, or all with outputs")


def _are_tensors(outputs: Any) -> bool:
    return isinstance(outputs, list) and all(
        isinstance(one, dict) and isinstance(one.get("shape"), list) and one.keys() >= {"name", "datatype"}
        for one in outputs
    )


def _merge_v2(way: str, answers: Sequence[Any]) -> Any:
    outputs = []
    for first in answers[0]["outputs"]:
        alike = [next((o for o in one["outputs"] if o.get("name") == first.get("name")), None) for one in answers]
        if any(one is None or not isinstance(one.get("data"), list) for one in alike):
            raise CannotMerge(f"not all answers have the output {first.get('name')!r} with its data as JSON")
        data = _rows(way, [_flat(one["data"]) for one in alike if one])
        outputs.append(_output(way, first, data, len(alike)))
    return {"model_name": answers[0].get("model_name", ""), "outputs": outputs}


def _output(way: str, first: Any, data: list[Any], count: int) -> Any:
    shape, datatype = list(first["shape"]), first["datatype"]
    if way == "concatenate" and shape:
        shape[0] *= count
    if way == "average":
        datatype = "FP64"
    return {"name": first["name"], "shape": shape, "datatype": datatype, "data": data}


def _rows(way: str, columns: list[list[Any]]) -> list[Any]:
    if way == "concatenate":
        return [row for column in columns for row in column]
    if len({len(column) for column in columns}) != 1:
        raise CannotMerge("the answers have different numbers of rows")
    combine: Callable[[Sequence[Any]], Any] = _average if way == "average" else _majority
    return [combine(row) for row in zip(*columns, strict=True)]


def _average(values: Sequence[Any]) -> Any:
    if all(isinstance(value, list) for value in values):
        return _rows("average", [list(value) for value in values])
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise CannotMerge("what is no number has no average; choose majority")
    return sum(values) / len(values)


def _majority(values: Sequence[Any]) -> Any:
    """The value that most answers have; of several the one that came first."""
    counts = Counter(orjson.dumps(value, option=orjson.OPT_SORT_KEYS) for value in values)
    return orjson.loads(counts.most_common(1)[0][0])


def _flat(data: Any) -> list[Any]:
    return [item for part in data for item in _flat(part)] if isinstance(data, list) else [data]
