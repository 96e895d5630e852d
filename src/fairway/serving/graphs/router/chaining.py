"""What goes from step to step: a body with the headers that say how to read it, and its fields renamed. Pure.

A V2 body may be JSON with raw tensors behind it; then only its JSON is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

JSON = "application/json"
HEAD_LENGTH = "inference-header-content-length"
OF_THE_BODY = ("content-type", "content-encoding", HEAD_LENGTH)


@dataclass(frozen=True, slots=True)
class Payload:
    """`headers` are those of `OF_THE_BODY` only."""

    body: bytes
    headers: Mapping[str, str]

    def document(self) -> Any:
        """The JSON of it. Raises ValueError."""
        return orjson.loads(self.body[: self._head()])

    def _head(self) -> int:
        length = self.headers.get(HEAD_LENGTH, "")
        return int(length) if length.isdigit() else len(self.body)


def payload(body: bytes, headers: Mapping[str, str]) -> Payload:
    return Payload(body, {name: headers[name] for name in OF_THE_BODY if name in headers})


def of_document(document: Any) -> Payload:
    return Payload(orjson.dumps(document), {"content-type": JSON})


def renamed(given: Payload) -> Payload:
    """predictions to instances, outputs to inputs; as it is where it has neither."""
    try:
        document = given.document()
    except ValueError:
        return given
    if not isinstance(document, dict):
        return given
    predictions, outputs = document.get("predictions"), document.get("outputs")
    if isinstance(predictions, list) and predictions:
        return of_document({"instances": predictions})
    if isinstance(outputs, list) and outputs:
        kept = {"id": document["id"]} if document.get("id") else {}
        return _with_head(given, {**kept, "inputs": outputs})
    return given


def _with_head(given: Payload, document: Any) -> Payload:
    """Another JSON before the same raw tensors."""
    head = orjson.dumps(document)
    if HEAD_LENGTH not in given.headers:
        return replace(given, body=head)
    rest = given.body[given._head() :]
    return Payload(head + rest, {**given.headers, HEAD_LENGTH: str(len(head))})
