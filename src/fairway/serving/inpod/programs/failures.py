"""What users' code raises, as what a client or a deployer is told.

An exception that carries a status of its own keeps it (FastAPI's HTTPException, aiohttp's, KServe's); ValueError is
the caller's mistake; everything else is the program's, and its traceback goes to the log.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fairway.serving.inpod.messages import Answer, Refusal, encode
from fairway.serving.inpod.model import CannotLoad

# By name, since the class may be of our kserve or of the real one.
_STATUS_BY_NAME = {
    "InvalidInput": 400,
    "ModelNotFound": 404,
    "ModelNotReady": 503,
    "ServerNotReady": 503,
    "NotImplementedError": 501,
    "UnsupportedProtocol": 501,
    "InferenceError": 500,
    "TimeoutError": 504,
}


class Detailed(Refusal):
    """FastAPI's HTTPException, in the shape that FastAPI gives it and the clients of such programs read."""

    def __init__(self, status: int, detail: Any, **headers: str) -> None:
        super().__init__(status, str(detail), **headers)
        self._detail = detail

    def answer(self) -> Answer:
        try:
            body = encode({"detail": self._detail})
        except TypeError:  # it has no form in JSON, and somebody waits
            body = encode({"detail": str(self)})
        return Answer(self.status, body, headers=self.headers)


@contextmanager
def as_refusals(who: str) -> Iterator[None]:
    """`who` begins the sentence about a failure that is not the caller's."""
    try:
        yield
    except (Refusal, CannotLoad):
        raise
    except Exception as failure:
        raise refusal(failure, who) from failure


def refusal(failure: Exception, who: str) -> Refusal:
    status = status_of(failure)
    if status >= 500 and status != 503:
        traceback.print_exception(failure)
    if type(failure).__name__ == "HTTPException" and (detail := getattr(failure, "detail", None)) is not None:
        return Detailed(status, detail)
    said = str(getattr(failure, "detail", "") or failure)
    if status == 500 and type(failure).__name__ != "InferenceError":
        return Refusal(500, f"{who} failed: {type(failure).__name__}: {said}")
    return Refusal(status, said or f"{who} refused: {type(failure).__name__}.")


def status_of(failure: BaseException) -> int:
    for name in ("status_code", "status"):
        status = getattr(failure, name, None)
        if isinstance(status, int) and 400 <= status < 600:
            return status
    response: Any = getattr(failure, "response", None)  # httpx: the predictor's own answer
    if isinstance(getattr(response, "status_code", None), int) and response.status_code >= 400:
        return int(response.status_code)
    for kind in type(failure).__mro__:
        if kind.__name__ in _STATUS_BY_NAME:
            return _STATUS_BY_NAME[kind.__name__]
    return 400 if isinstance(failure, ValueError) else 500


@contextmanager
def as_cannot_load(who: str) -> Iterator[None]:
    """`who` begins the sentence; the traceback goes to the log."""
    try:
        yield
    except CannotLoad:
        raise
    except ModuleNotFoundError as missing:
        traceback.print_exc()
        raise CannotLoad(
            f"{who} needs the package {missing.name}, which is not installed where it is served: add it to the"
            " requirements of this service."
        ) from missing
    except Exception as failure:
        traceback.print_exc()
        raise CannotLoad(f"{who} does not load: {type(failure).__name__}: {failure}") from failure
