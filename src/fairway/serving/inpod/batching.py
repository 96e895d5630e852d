"""Requests that arrived while the model was busy, laid together: one prediction for many, in a worker's thread.

Requests go together where their tensors agree in names, types and the shape of a row, up to a number of rows. The
answer is cut along its first dimension. Where a batch is refused or fails, each request is tried alone, so that a bad
row spoils nothing for its neighbours; and a model whose answers cannot be cut is not given batches again.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fairway.serving.inpod.messages import Answer, Refusal
from fairway.serving.inpod.model import Array, Inputs, Model
from fairway.serving.inpod.work import Ticket

Finished = Callable[[Sequence[Ticket]], None]
"""Takes tickets that have their outcome, as soon as they have it."""

GONE = Refusal(503, "The client has gone.")
_ABOUT_THE_ANSWER = {"binary_data_output", "classification", "priority", "timeout"}


class Batches:
    """What one model does with the tickets it is handed. `rows` bounds a batch; 1 keeps requests apart."""

    def __init__(self, model: Model, rows: int) -> None:
        self._model = model
        self._rows = rows if model.signature.batches else 1

    @property
    def together(self) -> bool:
        return self._rows > 1

    def __call__(self, tickets: Sequence[Ticket], finished: Finished) -> None:
        if len(tickets) == 1 or not self.together:
            for ticket in tickets:
                self._alone(ticket, self._read(ticket))
                finished((ticket,))
            return
        read = [(ticket, self._read(ticket)) for ticket in tickets]
        finished([ticket for ticket, inputs in read if inputs is None])
        for batch in self._batches([(ticket, inputs) for ticket, inputs in read if inputs is not None]):
            self._predict(batch)
            finished([ticket for ticket, _ in batch])

    def _batches(self, read: list[tuple[Ticket, Inputs]]) -> Iterator[list[tuple[Ticket, Inputs]]]:
        groups: dict[Any, list[tuple[Ticket, Inputs]]] = {}
        for ticket, inputs in read:
            groups.setdefault(_likeness(inputs) or id(ticket), []).append((ticket, inputs))
        for group in groups.values():
            batch: list[tuple[Ticket, Inputs]] = []
            size = 0
            for ticket, inputs in group:
                rows = _rows(inputs)
                if batch and size + rows > self._rows:
                    yield batch
                    batch, size = [], 0
                batch.append((ticket, inputs))
                size += rows
            yield batch

    def _read(self, ticket: Ticket) -> Inputs | None:
        """None where the ticket has its outcome already."""
        begin = time.perf_counter()
        ticket.times.queued = begin - ticket.since
        if not ticket.alive():
            ticket.outcome = GONE
            return None
        try:
            return ticket.dialogue.read()
        except Refusal as refusal:
            ticket.outcome = refusal
        except Exception as broken:
            ticket.outcome = failed(broken)
        finally:
            ticket.times.read = time.perf_counter() - begin
        return None

    def _predict(self, batch: list[tuple[Ticket, Inputs]]) -> None:
        if len(batch) == 1:
            self._alone(*batch[0])
            return
        sizes = [_rows(inputs) for _, inputs in batch]
        begin = time.perf_counter()
        try:
            outputs = self._model.predict(_joined([inputs for _, inputs in batch]))
            parts = _parts(outputs, sizes)
            if parts is None:
                self._rows = 1
        except Exception:  # whose row it was, each one's own try says
            parts = None
        if parts is None:
            for ticket, inputs in batch:
                self._alone(ticket, inputs)
            return
        seconds = time.perf_counter() - begin
        for (ticket, _), part, rows in zip(batch, parts, sizes, strict=True):
            ticket.times.predict, ticket.times.batch, ticket.times.rows = seconds, len(batch), rows
            _write(ticket, part)

    def _alone(self, ticket: Ticket, inputs: Inputs | None) -> None:
        if inputs is None:
            return
        begin = time.perf_counter()
        try:
            outputs = self._model.predict(inputs)
        except Refusal as refusal:
            if refusal.status >= 500:
                traceback.print_exc()
            ticket.outcome = refusal
        except Exception as broken:
            ticket.outcome = failed(broken)
        else:
            ticket.times.batch, ticket.times.rows = 1, _rows(inputs) if self._model.signature.batches else 1
            ticket.times.predict = time.perf_counter() - begin
            _write(ticket, outputs)
            return
        ticket.times.predict = time.perf_counter() - begin


def failed(broken: BaseException) -> Refusal:
    """What nobody foresaw: its traceback goes to the log, a sentence to the client."""
    traceback.print_exception(broken)
    return Refusal(500, f"The server failed: {type(broken).__name__}: {broken}")


def written(work: Callable[[], Answer]) -> Answer | Refusal:
    try:
        return work()
    except Refusal as refusal:
        return refusal
    except Exception as broken:
        return failed(broken)


def _write(ticket: Ticket, outputs: Mapping[str, Array]) -> None:
    begin = time.perf_counter()
    ticket.outcome = written(lambda: ticket.dialogue.write(outputs))
    ticket.times.write = time.perf_counter() - begin


def _likeness(inputs: Inputs) -> Any:
    """Equal for what may stand together; None for what must stand alone."""
    if len({array.shape[:1] or None for array in inputs.tensors.values()}) != 1:
        return None
    parameters = {name: value for name, value in inputs.parameters.items() if name not in _ABOUT_THE_ANSWER}
    tensors = tuple((name, _type(array), array.shape[1:]) for name, array in inputs.tensors.items())
    if any(not array.shape or not array.shape[0] for array in inputs.tensors.values()):
        return None
    return tensors, inputs.named, repr(parameters) if parameters else ""


def _type(array: Array) -> str:
    """Text of any length is one type."""
    return "text" if array.dtype.kind == "U" else array.dtype.str


def _rows(inputs: Inputs) -> int:
    shape = next(iter(inputs.tensors.values())).shape
    return int(shape[0]) if shape else 1


def _joined(several: list[Inputs]) -> Inputs:
    first = several[0]
    tensors = {name: np.concatenate([inputs.tensors[name] for inputs in several]) for name in first.tensors}
    return Inputs(tensors, first.named, first.parameters)


def _parts(outputs: Mapping[str, Array], sizes: list[int]) -> list[dict[str, Array]] | None:
    """Each request's share; None where the answer has not a row for each row."""
    total = sum(sizes)
    if any(array.shape[:1] != (total,) for array in outputs.values()):
        return None
    parts, at = [], 0
    for size in sizes:
        parts.append({name: array[at : at + size] for name, array in outputs.items()})
        at += size
    return parts
