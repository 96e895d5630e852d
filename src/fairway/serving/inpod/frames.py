"""Tables with named columns, for models that were trained on them. pandas is needed only here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.models import Model


def from_rows(rows: list[Any], model: Model) -> Any:
    """A frame of rows that are objects; a value may be a list of one, as KServe's examples have it."""
    if not all(isinstance(row, dict) for row in rows):
        raise Refusal(400, '"instances" mixes objects with other rows; send all rows in one form.')
    names = list(rows[0])
    for number, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            raise Refusal(400, f"instances[{number}] has other columns than instances[0].")
    return _frame({name: [_value(row[name]) for row in rows] for name in names}, model)


def from_columns(columns: Mapping[str, np.ndarray[Any, Any]], model: Model) -> Any:
    """A frame with a column for each tensor."""
    lengths = {array.size for array in columns.values()}
    if len(lengths) > 1:
        raise Refusal(400, "The input tensors have different lengths; as columns of one table they must agree.")
    return _frame({name: array.reshape(-1) for name, array in columns.items()}, model)


def named(array: np.ndarray[Any, Any], model: Model) -> Any:
    """Rows without names for a model that knows its columns: they are taken in the order of its training."""
    pandas = _pandas()
    if pandas is None or array.ndim != 2 or array.shape[1] != len(model.columns):
        return array  # the model itself says what is wrong
    return pandas.DataFrame(array, columns=list(model.columns)).infer_objects()


def is_frame(table: Any) -> bool:
    return not isinstance(table, np.ndarray)


def _frame(columns: dict[str, Any], model: Model) -> Any:
    missing = [name for name in model.columns if name not in columns]
    if missing:
        raise Refusal(400, f"The model {model.name} wants the columns {', '.join(missing)} too.")
    pandas = _pandas()
    if pandas is None:
        raise Refusal(501, "Rows with named columns need pandas, which is not installed in this server.")
    order = [*model.columns, *(name for name in columns if name not in model.columns)] if model.columns else None
    return pandas.DataFrame(columns, columns=order)


def _value(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _pandas() -> Any:
    try:
        import pandas  # noqa: PLC0415  optional
    except ImportError:
        return None
    return pandas
