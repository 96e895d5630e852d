"""What the parts of the server hand each other: a request, an answer, and a refusal that becomes an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` have lower-case names; repeated ones are joined by commas. `body` is decoded (chunks, gzip)."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request that gets an error in the protocols' own shape: {"error": "a sentence"}."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(self) -> Answer:
        return Answer(self.status, encode({"error": str(self)}), headers=self.headers)


def encode(document: Any) -> bytes:
    """JSON; numpy arrays and scalars are written as lists and numbers, what is not a number as null."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises Refusal."""
    if not body:
        raise Refusal(400, "The request has no body; send a JSON object.")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise Refusal(400, f"The body is not JSON: {wrong}.") from None
    if not isinstance(document, dict):
        raise Refusal(400, "The body is JSON but not an object.")
    return document


def okay(document: Any) -> Answer:
    return Answer(200, encode(document))
