"""One R process: started with a program, asked over pipes, started again when it dies.

`worker.R` is its other half and says what a message is. `r` knows the protocols; this module knows bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson

from fairway.serving.inpod.model import Array, CannotLoad

WORKER = Path(__file__).with_name("worker.R")
_DTYPES: dict[str, np.dtype[Any]] = {"double": np.dtype("<f8"), "integer": np.dtype("<i4"), "logical": np.dtype("<i4")}
_MISSING = -(2**31)
"""What R's NA is among its integers."""


class Died(Exception):
    """The process ended; the text says how."""


@dataclass(frozen=True, slots=True)
class Told:
    """A message from R: its head, and the arrays that came with it by name."""

    head: Mapping[str, Any]
    arrays: Mapping[str, Array] = field(default_factory=dict)


class Process:
    """Asked by one thread at a time."""

    def __init__(self, location: Path, options: Mapping[str, str]) -> None:
        """Raises CannotLoad with what R says."""
        self._location, self._options = location, options
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes]
        self._requests: IO[bytes]
        self._answers: IO[bytes]
        self.about = self._start()

    def ask(self, head: Mapping[str, Any], arrays: Mapping[str, Array]) -> Told:
        """Raises Died where the process ends instead of answering; the next request finds a new one."""
        with self._turn:
            if self._process.poll() is not None:
                self._end()
                self.about = self._start()
            try:
                write(self._requests, head, arrays)
                return read(self._answers)
            except (OSError, EOFError):
                raise Died(self._how_it_ended()) from None

    def close(self) -> None:
        """It ends by itself when its requests do; a program that does not stop is ended."""
        self._end()

    def _start(self) -> Mapping[str, Any]:
        rscript = shutil.which("Rscript")
        if rscript is None:
            raise CannotLoad(
                "R is not installed where this program is served (on Debian: r-base-core and r-cran-jsonlite)."
            )
        theirs, ours = os.pipe()
        back, their_back = os.pipe()
        self._process = subprocess.Popen(
            [rscript, "--vanilla", str(WORKER), str(theirs), str(their_back), str(self._location)],
            pass_fds=(theirs, their_back),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno() if _has_descriptor(sys.stderr) else subprocess.DEVNULL,
            env=dict(self._options) or None,
        )
        os.close(theirs)
        os.close(their_back)
        self._requests, self._answers = os.fdopen(ours, "wb"), os.fdopen(back, "rb")
        try:
            about = read(self._answers).head
        except EOFError:
            how = self._how_it_ended()
            self._end()
            raise CannotLoad(f"{self._location.name} does not load: {how}") from None
        if reason := about.get("failed"):
            self._end()
            raise CannotLoad(f"{self._location.name} does not load: {reason}")
        return about

    def _end(self) -> None:
        for pipe in (self._requests, self._answers):
            with suppress(OSError):
                pipe.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code == 3:
            return "R needs the package jsonlite (Debian: r-cran-jsonlite)."
        what = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"R {what}; its log has more."


def write(pipe: IO[bytes], head: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    columns, raws = [], []
    for name, array in arrays.items():
        column, raw = _column(name, array)
        columns.append(column)
        raws.append(raw)
    encoded = orjson.dumps({**head, "columns": columns})
    pipe.write(b"".join((len(encoded).to_bytes(4, "little"), encoded, *raws)))
    pipe.flush()


def read(pipe: IO[bytes]) -> Told:
    """Raises EOFError where the other side has gone."""
    head = orjson.loads(_exactly(pipe, int.from_bytes(_exactly(pipe, 4), "little")))
    if "ready" in head or "failed" in head:
        return Told(head)
    return Told(head, {column["name"]: _values(column, pipe) for column in head.get("columns", ())})


def _column(name: str, array: Array) -> tuple[dict[str, Any], bytes]:
    about: dict[str, Any] = {"name": name, "n": array.size, "dim": list(array.shape)}
    kind = array.dtype.kind
    if kind == "b":
        return {**about, "type": "logical"}, array.astype("<i4").tobytes()
    if kind in "iu" and (not array.size or (array.min() > _MISSING and array.max() < 2**31)):
        return {**about, "type": "integer"}, array.astype("<i4").tobytes()
    if kind in "iuf":
        return {**about, "type": "double"}, array.astype("<f8").tobytes()
    texts = [item.decode(errors="replace") if isinstance(item, bytes) else item for item in array.reshape(-1).tolist()]
    return {**about, "type": "character", "values": [None if text is None else str(text) for text in texts]}, b""


def _values(column: Mapping[str, Any], pipe: IO[bytes]) -> Array:
    shape = column["dim"]
    if column["type"] == "character":
        return np.array(column["values"], dtype=object).reshape(shape)
    dtype = _DTYPES[column["type"]]
    array: Array = np.frombuffer(_exactly(pipe, dtype.itemsize * column["n"]), dtype=dtype)
    if column["type"] != "double" and (array == _MISSING).any():
        array = np.array([None if item == _MISSING else item for item in array.tolist()], dtype=object)
    elif column["type"] == "logical":
        array = array.astype(bool)
    return array.reshape(shape)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) != size:
        raise EOFError
    return data


def _has_descriptor(stream: Any) -> bool:
    try:
        return int(stream.fileno()) >= 0
    except (OSError, AttributeError, ValueError):
        return False
