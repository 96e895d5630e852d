"""A container's log in the CRI format: `2026-01-02T03:04:05.000000006Z stdout F line`.

P instead of F marks a piece of a line that is longer than the buffer. Two files at most: when the first is full it
becomes `log.1`, and what was `log.1` is gone. A container that prints nothing has no file.
"""

from __future__ import annotations

import os
import time

LONGEST_LINE = 16 * 1024
LARGEST_FILE = 10 * 1024 * 1024


class LogFile:
    def __init__(self, path: str, largest: int = LARGEST_FILE) -> None:
        self._path, self._largest = path, largest
        self._pending: dict[str, bytes] = {}
        self._descriptor = -1
        self._size = 0

    def write(self, stream: str, data: bytes) -> None:
        """Whole lines are written at once; the rest waits for its end, or until it is too long."""
        data = self._pending.pop(stream, b"") + data
        lines = data.split(b"\n")
        rest = lines.pop()
        prefix = f"{_now()} {stream} ".encode()
        pieces = [piece for line in lines for piece in _pieces(prefix, line)]
        while len(rest) >= LONGEST_LINE:
            pieces.append(prefix + b"P " + rest[:LONGEST_LINE] + b"\n")
            rest = rest[LONGEST_LINE:]
        if rest:
            self._pending[stream] = rest
        if pieces:
            self._append(b"".join(pieces))

    def close(self) -> None:
        for stream, rest in self._pending.items():
            self._append(f"{_now()} {stream} ".encode() + b"P " + rest + b"\n")
        self._pending.clear()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _append(self, data: bytes) -> None:
        # A full disk must not end the container: its output is lost, it goes on.
        try:
            if self._descriptor < 0:
                self._open()
            if self._size and self._size + len(data) > self._largest:
                os.close(self._descriptor)
                self._descriptor = -1
                os.rename(self._path, f"{self._path}.1")
                self._open()
            self._size += os.write(self._descriptor, data)
        except OSError:
            return

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size


def _pieces(prefix: bytes, line: bytes) -> list[bytes]:
    if len(line) <= LONGEST_LINE:
        return [prefix + b"F " + line + b"\n"]
    cuts = [line[at : at + LONGEST_LINE] for at in range(0, len(line), LONGEST_LINE)]
    return [prefix + b"P " + cut + b"\n" for cut in cuts[:-1]] + [prefix + b"F " + cuts[-1] + b"\n"]


def _now() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"
