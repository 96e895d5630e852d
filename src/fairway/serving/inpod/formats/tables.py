"""Tables: rows with or without names of columns, as the models take them that were trained on tables.

scikit-learn's pipelines want frames, and so do boosters with categories; pandas is needed only for those. Boosters of
numbers take a plain matrix, in which None is a missing value.
"""

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


def numbers(inputs: Inputs, columns: Sequence[str], width: int, model: str, *, may_miss: bool = False) -> Array:
    """A matrix of numbers with `width` columns. Raises Refusal.

    Columns by name are put into the order of the training. Those that the model does not have are left out;
    those that a request does not have are missing values where the model `may_miss` them.
    """
    if not inputs.named:
        (array,) = inputs.tensors.values()
        rows = _numbers(column(array) if width == 1 else array, model)
    else:
        given = _chosen(_flat(inputs.tensors), columns, model, may_miss=may_miss)
        rows = np.column_stack([_numbers(array, model) for array in given.values()])
    if rows.shape[1:] != (width,):
        raise Refusal(400, f"The model {model} wants rows of {width} numbers, not the shape {list(rows.shape)}.")
    return rows


def columns(inputs: Inputs, wanted: Sequence[str], model: str) -> dict[str, Array]:
    """The columns that the model knows by name, as the request has them; more are left out. Raises Refusal."""
    return _chosen(_flat(inputs.tensors), wanted, model, may_miss=False)


def column(array: Array) -> Array:
    """Rows of one value each, where the only column of a table came as what its metadata says: a flat list."""
    return array.reshape(-1, 1) if array.ndim == 1 else array


def categories(inputs: Inputs, columns: Sequence[str], model: str, *, may_miss: bool = False) -> Any:
    """A frame in which text is a category, for boosters that were trained on such a frame. Raises Refusal."""
    pandas = _pandas()
    if pandas is None:
        raise Refusal(501, "Columns of categories need pandas, which is not installed in this server.")
    if inputs.named:
        frame = pandas.DataFrame(_chosen(_flat(inputs.tensors), columns, model, may_miss=may_miss)).infer_objects()
    else:
        frame = table(inputs, columns)
    if isinstance(frame, np.ndarray):
        raise Refusal(
            400, f"The model {model} wants rows of {len(columns)} columns, not the shape {list(frame.shape)}."
        )
    text = [column for column in frame if not pandas.api.types.is_numeric_dtype(frame[column].dtype)]
    return frame.astype(dict.fromkeys(text, "category"))


def _named(array: Array, columns: Sequence[str]) -> Any:
    """Rows without names for a model that knows its columns: they are taken in the order of its training."""
    pandas = _pandas()
    array = column(array) if len(columns) == 1 else array
    if pandas is None or array.ndim != 2 or array.shape[1] != len(columns):
        return array  # the model itself says what is wrong
    return pandas.DataFrame(array, columns=list(columns)).infer_objects()


def _frame(tensors: Mapping[str, Array], wanted: Sequence[str]) -> Any:
    flat = _flat(tensors)
    missing = [name for name in wanted if name not in flat]
    if missing:
        raise Refusal(400, f"The model wants the columns {', '.join(missing)} too.")
    pandas = _pandas()
    if pandas is None:
        raise Refusal(501, "Rows with named columns need pandas, which is not installed in this server.")
    order = [*wanted, *(name for name in flat if name not in wanted)] if wanted else None
    return pandas.DataFrame(flat, columns=order).infer_objects()


def _flat(tensors: Mapping[str, Array]) -> dict[str, Array]:
    flat = {name: array.reshape(-1) for name, array in tensors.items()}
    if len({array.size for array in flat.values()}) > 1:
        raise Refusal(400, "The input tensors have different lengths; as columns of one table they must agree.")
    return flat


def _chosen(flat: dict[str, Array], columns: Sequence[str], model: str, *, may_miss: bool) -> dict[str, Array]:
    """The model's own columns in its own order. For the spaces in a name LightGBM has written underscores."""
    if not columns:
        return flat
    written = {name if name in columns else "_".join(name.split()): array for name, array in flat.items()}
    missing = [name for name in columns if name not in written]
    unknown = [name for name in written if name not in columns]
    if missing and (unknown or not may_miss):
        also = f", and it has no {', '.join(unknown)}" if unknown else ""
        raise Refusal(400, f"The model {model} wants the columns {', '.join(missing)} too{also}.")
    nothing = np.full(len(next(iter(written.values()))), np.nan)
    return {name: written.get(name, nothing) for name in columns}


def _numbers(array: Array, model: str) -> Array:
    if array.dtype.kind in "biuf":
        return array
    try:
        return array.astype(np.float64)
    except (ValueError, TypeError):
        raise Refusal(400, f"The model {model} takes numbers, and the request has something else.") from None


def _pandas() -> Any:
    try:
        import pandas  # noqa: PLC0415  optional
    except ImportError:
        return None
    return pandas
