"""The V1 protocol: {"instances": rows} becomes {"predictions": results}.

Rows are lists (one array), objects (an array for each name), or plain values. `inputs` is taken for `instances`, and
may be an object of whole columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fairway.serving.inpod.messages import Answer, Refusal, Request, decode, okay
from fairway.serving.inpod.model import Array, Inputs, Model, Signature


def predict(name: str, model: Model, request: Request) -> Answer:
    outputs = model.predict(inputs(decode(request.body), model.signature))
    return okay({"predictions": predictions(outputs)})


def inputs(document: dict[str, Any], signature: Signature) -> Inputs:
    """Raises Refusal."""
    rows = document.get("instances", document.get("inputs"))
    if rows is None:
        raise Refusal(400, 'The body has no "instances"; send {"instances": [[...], ...]}.')
    if isinstance(rows, dict) and rows and "instances" not in document:
        return Inputs({column: _array(values) for column, values in rows.items()}, named=True)
    if not isinstance(rows, list) or not rows:
        raise Refusal(400, '"instances" must be a list with at least one row.')
    if isinstance(rows[0], dict):
        return Inputs(_columns(rows), named=True)
    if isinstance(rows[0], list) and rows[0] and isinstance(rows[0][0], dict):
        return Inputs(_columns_of_parts(rows), named=True)
    first = signature.inputs[0].name if signature.inputs else "input-0"
    return Inputs({first: _array(rows)})


def predictions(outputs: Mapping[str, Array]) -> Any:
    """The rows of the only output; of several, an object for each row."""
    if len(outputs) == 1:
        (only,) = outputs.values()
        return only.tolist()
    if len({array.shape[:1] for array in outputs.values()}) != 1:
        return {name: array.tolist() for name, array in outputs.items()}
    rows = zip(*(array.tolist() for array in outputs.values()), strict=True)
    return [dict(zip(outputs, row, strict=True)) for row in rows]


def _columns(rows: list[Any]) -> dict[str, Array]:
    if not all(isinstance(row, dict) for row in rows):
        raise Refusal(400, '"instances" mixes objects with other rows; send all rows in one form.')
    for number, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            raise Refusal(400, f"instances[{number}] has other columns than instances[0].")
    return {name: _array([_cell(row[name]) for row in rows]) for name in rows[0]}


def _columns_of_parts(rows: list[Any]) -> dict[str, Array]:
    """Rows that are lists of objects with some columns each, as KServe takes them: the others are missing values."""
    parts = [part for row in rows if isinstance(row, list) for part in row]
    if not all(isinstance(part, dict) for part in parts) or not all(isinstance(row, list) for row in rows):
        raise Refusal(400, '"instances" mixes lists of objects with other rows; send all rows in one form.')
    names = list(dict.fromkeys(name for part in parts for name in part))
    return {name: _array([_cell(part.get(name)) for part in parts]) for name in names}


def _cell(value: Any) -> Any:
    """A frame's own JSON has an object for each column, with the row's number: {"width": {"0": 3.5}}."""
    return next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else value


def _array(rows: Any) -> Array:
    try:
        array = np.array(rows)
    except ValueError:
        raise Refusal(400, '"instances" has rows of different lengths.') from None
    if array.dtype.kind == "U" and not _all_text(rows):
        return np.array(rows, dtype=object)  # numpy turned the numbers beside the text into text
    return array


def _all_text(rows: Any) -> bool:
    if isinstance(rows, list):
        return all(_all_text(row) for row in rows)
    return isinstance(rows, str)
