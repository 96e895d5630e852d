"""Tables with named columns, for models that were trained on them. pandas is needed only here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, Inputs


def table(inputs: Inputs, columns: Sequence[str]) -> Any:
    """What a model of tables takes: a frame where columns have names, or else the one array as it is.

    `columns` are those that the model was trained with, if it had any. Raises Refusal.
    """
    if inputs.named:
        return _frame(inputs.tensors, columns)
    (array,) = inputs.tensors.values()
    return _named(array, columns) if columns else array


def is_frame(table: Any) -> bool:
    return not isinstance(table, np.ndarray)


def _named(array: Array, columns: Sequence[str]) -> Any:
    """Rows without names for a model that knows its columns: they are taken in the order of its training."""
    pandas = _pandas()
    if pandas is None or array.ndim != 2 or array.shape[1] != len(columns):
        return array  # the model itself says what is wrong
    return pandas.DataFrame(array, columns=list(columns)).infer_objects()


def _frame(tensors: Mapping[str, Array], wanted: Sequence[str]) -> Any:
    flat = {name: array.reshape(-1) for name, array in tensors.items()}
    if len({array.size for array in flat.values()}) > 1:
        raise Refusal(400, "The input tensors have different lengths; as columns of one table they must agree.")
    missing = [name for name in wanted if name not in flat]
    if missing:
        raise Refusal(400, f"The model wants the columns {', '.join(missing)} too.")
    pandas = _pandas()
    if pandas is None:
        raise Refusal(501, "Rows with named columns need pandas, which is not installed in this server.")
    order = [*wanted, *(name for name in flat if name not in wanted)] if wanted else None
    return pandas.DataFrame(flat, columns=order).infer_objects()


def _pandas() -> Any:
    try:
        import pandas  # noqa: PLC0415  optional
    except ImportError:
        return None
    return pandas
