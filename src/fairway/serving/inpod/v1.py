"""The V1 protocol: {"instances": rows} becomes {"predictions": results}.

Rows are lists (a numpy array) or objects (a pandas frame, as pipelines with named columns want).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fairway.serving.inpod import frames
from fairway.serving.inpod.messages import Answer, Refusal, Request, decode, okay
from fairway.serving.inpod.models import Model


def predict(model: Model, request: Request) -> Answer:
    rows = _rows(decode(request.body))
    table = frames.from_rows(rows, model) if isinstance(rows[0], dict) else _array(rows)
    if model.columns and not frames.is_frame(table):
        table = frames.named(table, model)
    return okay({"predictions": model.predict(table).tolist()})


def _rows(document: dict[str, Any]) -> list[Any]:
    """KServe takes `inputs` for `instances` too."""
    rows = document.get("instances", document.get("inputs"))
    if rows is None:
        raise Refusal(400, 'The body has no "instances"; send {"instances": [[...], ...]}.')
    if not isinstance(rows, list) or not rows:
        raise Refusal(400, '"instances" must be a list with at least one row.')
    return rows


def _array(rows: list[Any]) -> np.ndarray[Any, Any]:
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
