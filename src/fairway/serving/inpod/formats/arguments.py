"""From what a client sent to what a model declares: by name, type and shape. For formats that know their tensors.

JSON has one kind of number, so types are changed where nothing is lost; what would lose something is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fairway.serving.inpod import tensors
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, Inputs, Tensor


def match(inputs: Inputs, declared: Sequence[Tensor], model: str) -> dict[str, Array]:
    """An array of the declared type and shape for each declared input. Raises Refusal."""
    given = named(inputs, declared, model)
    return {tensor.name: fit(given[tensor.name], tensor, model) for tensor in declared}


def agree(given: Mapping[str, Array], sizes: Mapping[str, Sequence[int | str | None]], model: str) -> None:
    """A size that has a name is the same in all inputs; runtimes would stretch one row over many. Raises Refusal."""
    seen: dict[str, int] = {}
    for name, array in given.items():
        for word, size in zip(sizes[name], array.shape, strict=True):
            if isinstance(word, str) and seen.setdefault(word, size) != size:
                raise Refusal(
                    400,
                    f"The model {model} wants the size {word!r} to be the same in all inputs; {name} has {size} where "
                    f"another has {seen[word]}.",
                )


def named(inputs: Inputs, declared: Sequence[Tensor], model: str) -> dict[str, Array]:
    """An array for each declared input. A single tensor for a single input may have any name. Raises Refusal."""
    given: Mapping[str, Array] = inputs.tensors
    if len(declared) == len(given) == 1:
        given = {declared[0].name: next(iter(given.values()))}
    wanted = [tensor.name for tensor in declared]
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    if missing or unknown:
        raise Refusal(400, f"The model {model} has the inputs {', '.join(wanted)}; {_differ(missing, unknown)}.")
    return {name: given[name] for name in wanted}


def fit(array: Array, tensor: Tensor, model: str) -> Array:
    """The array with the type and shape of its declaration."""
    if array.ndim == 1 and len(tensor.shape) == 2 and tensor.shape[1] in (1, -1):
        array = array.reshape(-1, 1)  # a column of a table
    if array.ndim != len(tensor.shape) or any(
        want not in (-1, size) for want, size in zip(tensor.shape, array.shape, strict=True)
    ):
        raise Refusal(
            400, f"The model {model} wants {tensor.name} in shape {list(tensor.shape)}, not {list(array.shape)}."
        )
    return cast(array, tensor.datatype, f"{tensor.name} of the model {model}")


def cast(array: Array, datatype: str, where: str) -> Array:
    """The array as this type of the protocol, where that loses nothing but a float's precision."""
    if datatype == "BYTES":
        return as_text(array, where)
    dtype = tensors.DTYPES[datatype]
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in "biuf":
        raise Refusal(400, f"{where} is {datatype}, and the request has something else there.")
    if dtype.kind == "f" or array.size == 0:
        return array.astype(dtype)
    changed = array.astype(dtype)
    if not np.array_equal(changed, array):
        raise Refusal(400, f"{where} is {datatype}, and the request has numbers there that are not.")
    return changed


def as_text(array: Array, where: str) -> Array:
    """The elements as str, in an array of objects."""
    flat: list[Any] = array.reshape(-1).tolist()
    texts = np.empty(len(flat), dtype=object)
    try:
        texts[:] = [item.decode() if isinstance(item, bytes) else str(item) for item in flat]
    except UnicodeDecodeError:
        raise Refusal(400, f"{where} takes text, and the request has bytes there that are not UTF-8.") from None
    return texts.reshape(array.shape)


def _differ(missing: list[str], unknown: list[str]) -> str:
    told = ((missing, "is missing", "are missing"), (unknown, "is not one", "are none"))
    return " and ".join(f"{', '.join(names)} {one if len(names) == 1 else more}" for names, one, more in told if names)
