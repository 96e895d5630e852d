"""The V1 protocol: {"instances": rows} becomes {"predictions": results}; :explain is what the program makes of it.

Rows are lists (one array), objects (an array for each name), or plain values. `inputs` is taken for `instances`, and
may be an object of whole columns. A body may come in a CloudEvent (`events`); its answer then is one too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fairway.serving.inpod import events, numerals
from fairway.serving.inpod.messages import JSON, Answer, Refusal, Request, decode, encode, packed
from fairway.serving.inpod.model import Array, Inputs, Message, Reply, Signature


class Dialogue:
    """One request; see `work`."""

    __slots__ = ("_event", "_name", "_request", "_signature", "_verb")

    def __init__(self, name: str, signature: Signature, verb: str, request: Request) -> None:
        self._name, self._signature, self._verb, self._request = name, signature, verb, request
        self._event: events.Event | None = None

    def read(self) -> Inputs:
        return inputs(self._document(numerals.rows), self._signature)

    def write(self, outputs: Mapping[str, Array]) -> Answer:
        told = predictions(outputs, objects=self._signature.objects)
        return self._answer(Answer(200, encode({"predictions": told})))

    def message(self) -> Message:
        headers, kind = self._request.headers, self._request.headers.get("content-type", JSON)
        plain = not _is_json(kind) and not events.is_one(headers)
        body: Any = self._request.body if plain else self._document()
        return Message(self._verb, headers, body)

    def reply(self, reply: Reply) -> Answer:
        headers = reply.headers
        if reply.stream is not None:
            return Answer(reply.status, b"", reply.content_type, headers, stream=reply.stream)
        if reply.outputs is not None:
            body, kind = encode({"predictions": predictions(reply.outputs)}), JSON
        elif isinstance(reply.body, bytes):
            body, kind = reply.body, reply.content_type
        else:
            body, kind = encode(reply.body), reply.content_type
        return self._answer(Answer(reply.status, body, kind, headers))

    def _document(self, read: Callable[[bytes], dict[str, Any]] = decode) -> dict[str, Any]:
        self._event = events.read(self._request)
        return self._event.document() if self._event else read(self._request.body)

    def _answer(self, answer: Answer) -> Answer:
        if self._event and answer.status < 400:
            answer = self._event.answer(answer, self._name)
        return packed(answer, self._request.headers.get("accept-encoding", ""))


def inputs(document: dict[str, Any], signature: Signature) -> Inputs:
    """Rows of numbers may be an array already (`numerals`). Raises Refusal."""
    rows = document.get("instances", document.get("inputs"))
    if rows is None:
        raise Refusal(400, 'The body has no "instances"; send {"instances": [[...], ...]}.')
    first = signature.inputs[0].name if signature.inputs else "input-0"
    if isinstance(rows, np.ndarray):
        return Inputs({first: rows})
    if isinstance(rows, dict) and rows and "instances" not in document:
        return Inputs({column: _array(values) for column, values in rows.items()}, named=True)
    if not isinstance(rows, list) or not rows:
        raise Refusal(400, '"instances" must be a list with at least one row.')
    if isinstance(rows[0], dict):
        return Inputs(_columns(rows), named=True)
    if isinstance(rows[0], list) and rows[0] and isinstance(rows[0][0], dict):
        return Inputs(_columns_of_parts(rows), named=True)
    return Inputs({first: _array(rows)})


def predictions(outputs: Mapping[str, Array], *, objects: bool = False) -> Any:
    """The rows of the only output; of several, or with `objects`, an object for each row."""
    if len(outputs) == 1 and not objects:
        (only,) = outputs.values()
        return _list(only)
    if len({array.shape[:1] for array in outputs.values()}) != 1:
        return {name: _list(array) for name, array in outputs.items()}
    rows = zip(*(_list(array) for array in outputs.values()), strict=True)
    return [dict(zip(outputs, row, strict=True)) for row in rows]


def _list(array: Array) -> Any:
    return _text(array.tolist()) if array.dtype.kind in "SO" else array.tolist()


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(item) for item in value]
    return value.decode(errors="replace") if isinstance(value, bytes) else value


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


def _is_json(content_type: str) -> bool:
    """What says nothing of itself is JSON: curl's own default says that it is a form, and is not."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.endswith("json") or kind in ("", "application/x-www-form-urlencoded", "text/plain")
