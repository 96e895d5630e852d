"""What the server serves: the protocols that loaders and user programs give, and the values that cross them.

`formats` load a file or folder into a `Model`, which knows tensors and nothing of HTTP. `programs` wrap what a user
wrote into a `Program`, which takes whole messages of a protocol. The routes and gRPC stand before both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

Array = np.ndarray[Any, Any]


class CannotLoad(Exception):
    """The model cannot be served; the text is one sentence for the person who deployed it."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A declared input or output: `datatype` in the V2 protocol's words, -1 in `shape` for any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """`platform` is the format's name (sklearn, onnxruntime_onnx, ...). `columns`: the model wants a table with these
    columns by name; rows without names are taken in this order. `batches`: rows of several requests may be laid
    together along the first dimension, and the answer be cut again. `objects`: V1 answers an object for each row even
    where there is one output only."""

    platform: str
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    columns: tuple[str, ...] = ()
    batches: bool = True
    objects: bool = False


@dataclass(frozen=True, slots=True)
class Inputs:
    """Named arrays. `named` where the client gave columns of a table: rows that are objects in V1, several tensors or
    content_type pd in V2. A single array that V1 sent without a name has the name of the model's first input."""

    tensors: Mapping[str, Array]
    named: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Model(Protocol):
    """A loaded model. `predict` is called in a worker's thread, by several at once unless `one_at_a_time`.

    It raises Refusal 400 where the input does not fit the model, 500 where the model itself fails.
    """

    @property
    def signature(self) -> Signature: ...

    @property
    def one_at_a_time(self) -> bool: ...

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        """The outputs by name, in the order of the signature."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Message:
    """A whole request as a program sees it: V1 bodies are JSON objects (or bytes, where the content type is another);
    V2 bodies are `tensors` with the request's `id` and `parameters`. `headers` have lower-case names."""

    verb: str
    """predict, explain, infer."""
    headers: Mapping[str, str]
    body: Any = None
    inputs: Inputs | None = None
    id: str = ""
    outputs: tuple[str, ...] = ()
    input_parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The parameters of single tensors of V2, by the tensor's name; those about binary data are the server's."""


class Program(Protocol):
    """What a user wrote: it sees messages, and may be slow in its own thread or asynchronous on the event loop."""

    @property
    def signature(self) -> Signature: ...

    @property
    def asynchronous(self) -> bool:
        """`answer` gives an awaitable, and is called on the event loop instead of in a worker's thread."""
        ...

    def answer(self, message: Message) -> Reply | Awaitable[Reply]:
        """Raises Refusal: 4xx for what the caller did wrong, 501 for a verb that is not there, 500 where the user's
        code fails."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Leans(Protocol):
    """A program that cannot answer without somebody else, as a transformer without its predictor: asked when somebody
    wants to know whether it is ready. `leaning` says whether it is to be asked at all."""

    @property
    def leaning(self) -> bool: ...

    async def reachable(self) -> bool:
        """On the event loop, which it must not hold up; nor may its own work hold up the answer."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` for V1 (a JSON value, or bytes as `content_type`), `outputs` for V2; `stream` instead of either sends
    chunks as they come, as `content_type`. A stream that nobody reads any more is closed (`aclose`): its work ends."""

    body: Any = None
    outputs: Mapping[str, Array] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    output_parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@runtime_checkable
class Speaks(Protocol):
    """A model or program that answers paths of its own: the OpenAI-compatible endpoints, time series, a user's own
    ASGI application. `paths` are prefixes that are its; everything beneath comes to `speak`, on the event loop."""

    @property
    def paths(self) -> tuple[str, ...]: ...

    async def speak(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply: ...


@runtime_checkable
class LimitsItself(Protocol):
    """What `Speaks` and keeps the number of requests at work itself: with an answer of its own for those beyond."""

    @property
    def limits_itself(self) -> bool: ...
