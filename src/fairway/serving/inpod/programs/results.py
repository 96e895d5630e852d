"""What a user's function gave back, as a Reply: predictions for V1, named arrays for V2, or a stream."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import numpy as np
import orjson

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, Message, Reply

OUTPUT = "output-0"
_END = object()


def reply(message: Message, result: Any, *, whole: bool) -> Reply:
    """`whole`: the function took the whole body and its object is the whole answer."""
    if isinstance(result, bytes):
        return Reply(body=result, content_type="application/octet-stream")
    if message.inputs is not None:
        return Reply(outputs=arrays(result))
    plain = jsonable(result)
    if isinstance(plain, dict) and (whole or "predictions" in plain):
        return Reply(body=plain)
    return Reply(body={("explanations" if message.verb == "explain" else "predictions"): plain})


def streamed(chunks: AsyncIterator[Any]) -> Reply:
    """Text as it is, bytes as they are, everything else as lines of JSON."""
    return Reply(stream=_encoded(chunks), content_type="text/event-stream")


async def steps(generator: Iterator[Any]) -> AsyncIterator[Any]:
    """A plain generator, taken step by step in threads. Whoever stops early closes it, after its current step."""
    turn = threading.Lock()

    def step() -> Any:
        with turn:
            return next(generator, _END)

    def close() -> None:
        with turn:
            if hasattr(generator, "close"):
                generator.close()

    loop = asyncio.get_running_loop()
    try:
        while (item := await loop.run_in_executor(None, step)) is not _END:
            yield item
    finally:
        loop.run_in_executor(None, close)


def arrays(result: Any) -> dict[str, Array]:
    """Named arrays: a frame's columns, the entries of an object, the columns of rows that are objects, or one."""
    if _is_frame(result):
        return {str(name): array(result[name].to_numpy()) for name in result.columns}
    if isinstance(result, Mapping):
        return {str(name): array(value) for name, value in result.items()}
    if isinstance(result, list) and result and all(isinstance(row, dict) for row in result):
        if any(row.keys() != result[0].keys() for row in result):
            raise Refusal(500, "The program answered with rows of different columns; V2 needs the same ones in each.")
        return {str(name): array([row[name] for row in result]) for name in result[0]}
    return {OUTPUT: array(result)}


def array(values: Any) -> Array:
    found = np.asarray(values)
    if found.ndim == 0:
        found = found.reshape(1)
    return found if found.dtype.kind in "biufO" else found.astype(object)


def jsonable(value: Any) -> Any:
    """What JSON can carry: arrays become lists, frames lists of objects, values of pydantic and dataclasses objects."""
    if isinstance(value, Mapping):
        return {str(name): jsonable(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [jsonable(part) for part in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if _is_frame(value):
        return value.to_dict(orient="records")
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "tolist"):  # a pandas column, a tensor of torch
        return value.tolist()
    return value


def _is_frame(value: Any) -> bool:
    return hasattr(value, "columns") and hasattr(value, "to_dict") and hasattr(value, "iloc")


async def _encoded(chunks: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    try:
        async for chunk in chunks:
            if isinstance(chunk, bytes):
                yield chunk
            elif isinstance(chunk, str):
                yield chunk.encode()
            else:
                yield orjson.dumps(jsonable(chunk)) + b"\n"
    finally:
        if hasattr(chunks, "aclose"):
            await chunks.aclose()
