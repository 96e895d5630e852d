"""Programs in R: a script with a function `predict`, or a model saved with saveRDS(), behind V1 and V2.

Rows with names become a data frame, or arguments by name where the function asks for them; rows without become a
matrix. `stop()` is answered with 500 and R's message, `bad_request()` with 400. Each program has R processes of its
own (FAIRWAY_R_WORKERS, one by default); one that dies costs its request a 500 and is replaced.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, Message, Reply, Signature, Tensor
from fairway.serving.inpod.programs import r_process

SUFFIXES = (".r", ".rds")


class RProgram:
    asynchronous = False

    def __init__(self, location: Path, options: Mapping[str, str]) -> None:
        """Raises CannotLoad."""
        workers = int(options.get("FAIRWAY_R_WORKERS") or 1)
        self._processes = [r_process.Process(location, {**os.environ, **options}) for _ in range(max(1, workers))]
        self._idle: SimpleQueue[r_process.Process] = SimpleQueue()
        for process in self._processes:
            self._idle.put(process)
        about = self._processes[0].about
        self._explains = bool(about["explains"])
        self._columns: tuple[str, ...] = tuple(about["columns"])
        self._body = about["arguments"] == ["body"]

    @property
    def signature(self) -> Signature:
        inputs = tuple(Tensor(name, "FP64", (-1,)) for name in self._columns)
        return Signature("r", inputs, columns=self._columns, batches=False)

    def answer(self, message: Message) -> Reply:
        if message.verb == "explain" and not self._explains:
            raise Refusal(501, "This program has no function `explain`.")
        head, arrays = self._request(message)
        process = self._idle.get()
        try:
            told = process.ask(head, arrays)
        except r_process.Died as how:
            raise Refusal(500, f"The program failed: {how}") from None
        finally:
            self._idle.put(process)
        return _reply(message, told)

    def close(self) -> None:
        for process in self._processes:
            process.close()

    def _request(self, message: Message) -> tuple[dict[str, Any], Mapping[str, Array]]:
        head: dict[str, Any] = {"verb": message.verb}
        if self._body and message.inputs is None:
            return {**head, "body": message.body, "single": False}, {}
        arrays = dict(message.inputs.tensors) if message.inputs is not None else _columns(message.body)
        single = len(arrays) == 1 and not (message.inputs.named if message.inputs is not None else "" not in arrays)
        if single and self._columns:
            return {**head, "single": False}, self._named(next(iter(arrays.values())))
        return {**head, "single": single}, arrays

    def _named(self, rows: Array) -> dict[str, Array]:
        """Rows without names for a model that knows its columns: they are taken in its order."""
        if rows.ndim != 2 or rows.shape[1] != len(self._columns):
            raise Refusal(400, f"Each row must have {len(self._columns)} values: {', '.join(self._columns)}.")
        return {name: np.ascontiguousarray(rows[:, at]) for at, name in enumerate(self._columns)}


def _columns(body: Any) -> dict[str, Array]:
    """The columns of V1's rows; rows without names are one array, under no name."""
    rows = body.get("instances", body.get("inputs")) if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows:
        raise Refusal(400, 'The body has no list of "instances"; send {"instances": [...]}.')
    if not isinstance(rows[0], dict):
        return {"": _array(rows)}
    names = list(rows[0])
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != rows[0].keys():
            raise Refusal(400, f"instances[{number}] has other columns than instances[0].")
    return {name: _array([row[name] for row in rows]) for name in names}


def _array(values: list[Any]) -> Array:
    """Numbers with gaps stay numbers."""
    try:
        array = np.array(values)
    except ValueError:
        raise Refusal(400, '"instances" has rows of different lengths.') from None
    if array.dtype != object:
        return array if array.dtype.kind in "biuf" else array.astype(object)
    try:
        return array.astype(float)
    except (TypeError, ValueError):
        return array


def _reply(message: Message, told: r_process.Told) -> Reply:
    status = told.head.get("status", 200)
    if status != 200:
        raise Refusal(status, str(told.head["message"]) if status < 500 else f"R: {told.head['message']}")
    if message.inputs is not None:
        if "json" in told.head:
            raise Refusal(500, "R answered with a list, which V2 cannot carry; answer with a vector or a data frame.")
        return Reply(outputs=told.arrays)
    if "json" in told.head:
        body = told.head["json"]
        return Reply(body=body if isinstance(body, dict) else {"predictions": body})
    return Reply(body={"predictions": _predictions(told)})


def _predictions(told: r_process.Told) -> Any:
    """A frame is an object for each row, several vectors are an object of them, and one is itself."""
    columns = {name: array.tolist() for name, array in told.arrays.items()}
    if told.head.get("table"):
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return next(iter(columns.values())) if list(columns) == ["output-0"] else columns
