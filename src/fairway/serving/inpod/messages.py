"""What the parts of the server hand each other: a request, an answer, and a refusal that becomes an answer."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import orjson

JSON = "application/json"

MOST_JSON = 64 << 20
"""Bytes. To read as many takes seconds, in which nobody else is answered, and nobody is told that we are well."""
_WORTH_PACKING = 4096
_WINDOWS = {"gzip": 31, "deflate": 15}


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` have lower-case names; repeated ones are joined by commas. `body` is decoded (chunks, gzip)."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    query: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`tail` are buffers that follow `body`, so that large tensors are not copied together. With `stream` there is no
    other body: its chunks are sent as they come."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    tail: tuple[bytes | memoryview, ...] = ()
    stream: AsyncIterator[bytes] | None = None


class Call(Protocol):
    """A request whose client waits. Touched on the event loop only, but for `alive`."""

    @property
    def request(self) -> Request: ...

    @property
    def alive(self) -> bool:
        """Whether anybody still waits for the answer."""
        ...

    def respond(self, answer: Answer) -> None:
        """Once, now or later."""
        ...

    def when_gone(self, callback: Callable[[], object]) -> None:
        """Called where the client hangs up before it has its whole answer."""
        ...


class Refusal(Exception):
    """A request that gets an error in the protocols' own shape: {"error": "a sentence"}."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        # A model may fail with any text, and nobody is to wait for ever because JSON has no form for it.
        super().__init__(sentence.encode(errors="replace").decode())
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(self) -> Answer:
        return Answer(self.status, encode({"error": str(self)}), headers=self.headers)


def encode(document: Any) -> bytes:
    """JSON; numpy arrays and scalars are written as lists and numbers, what is not a number as null."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def decode(body: bytes | memoryview) -> dict[str, Any]:
    """The JSON object of a body. Raises Refusal."""
    if not body:
        raise Refusal(400, "The request has no body; send a JSON object.")
    if len(body) > MOST_JSON:
        raise Refusal(413, f"JSON is read up to {MOST_JSON} bytes: send fewer rows at a time, or V2's binary tensors.")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise Refusal(400, f"The body is not JSON: {wrong}.") from None
    if not isinstance(document, dict):
        raise Refusal(400, "The body is JSON but not an object.")
    return document


def okay(document: Any) -> Answer:
    return Answer(200, encode(document))


def packed(answer: Answer, accepts: str) -> Answer:
    """The answer as its client accepts it: compressed where that is asked for and worth it.

    Many clients list gzip with every request; raw tensors are compressed only for one that asks for nothing else, as
    Triton's client does, since they cost much and shrink little.
    """
    if not accepts or len(answer.body) + sum(len(part) for part in answer.tail) < _WORTH_PACKING:
        return answer
    codings = [coding.strip().lower() for coding in accepts.split(",")]
    wanted = next((coding for coding in codings if coding in _WINDOWS), "")
    if not wanted or (answer.tail and len(codings) > 1):
        return answer
    packer = zlib.compressobj(1, wbits=_WINDOWS[wanted])
    parts = [packer.compress(part) for part in (answer.body, *answer.tail)]
    headers = {**answer.headers, "Content-Encoding": wanted}
    return replace(answer, body=b"".join((*parts, packer.flush())), tail=(), headers=headers)
