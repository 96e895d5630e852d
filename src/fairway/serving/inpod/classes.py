"""Triton's extension of classification: of an output only its largest values, as texts `value:index`.

A request asks for it with the parameter `classification` of an output, the number of classes. Of a model that takes
batches each row has its own classes. There are no labels: no format of ours keeps them beside its outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array


def number(parameters: Mapping[str, Any]) -> int:
    """How many classes an output's parameters ask for; 0 asks for the output itself. Raises Refusal."""
    wish = parameters.get("classification", 0)
    if type(wish) is not int or wish < 0:
        raise Refusal(400, f"The parameter classification must be a number of classes, not {wish!r}.")
    return wish


def likeliest(array: Array, count: int, *, batched: bool) -> Array:
    """At most `count` texts for each row, or for the whole array where it has no rows. Raises Refusal."""
    if array.dtype.kind not in "iuf":
        raise Refusal(400, f"Classes are of numbers, and this output has {array.dtype.name}.")
    rows = array.reshape(array.shape[0], -1) if batched and array.ndim else array.reshape(1, -1)
    order = np.argsort(-rows.astype(np.float64), axis=1, kind="stable")[:, :count]
    told = np.empty(order.shape, dtype=object)
    for (row, place), index in np.ndenumerate(order):
        value = rows[row, index]
        told[row, place] = f"{value:f}:{index}" if array.dtype.kind == "f" else f"{value}:{index}"
    return told if batched and array.ndim else told[0]
