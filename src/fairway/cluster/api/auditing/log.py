"""The files of the audit log: one line for each record, and a bound on all of them.

There are three, so that nobody can push out what another one did: clients', the platform's own controllers', and those
of strangers who proved nothing. A record is handed to the system before the answer is given: what was acknowledged has
one, also after kill -9 (a machine that loses its power may lose the last seconds). One small write to the end of a
file costs a few microseconds, less than handing it to somebody else.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import orjson

from fairway.cluster.api.auditing import events
from fairway.cluster.api.auditing.reading import CLIENTS, PLATFORM, STRANGERS
from fairway.cluster.api.auditing.visits import Numbers, Visit
from fairway.kernel.clock import Clock
from fairway.kernel.objects.errors import ApiError
from fairway.kernel.objects.kinds import Object

log = logging.getLogger(__name__)

LARGEST = 16 << 20
KEPT = 4
"""Older files of each kind."""


class AuditLog:
    """Knows the answers' numbers, too. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None, clock: Clock, *, largest: int = LARGEST, kept: int = KEPT) -> None:
        self._files = {} if folder is None else {
            name: _File(folder / name, largest, kept) for name in (CLIENTS, PLATFORM, STRANGERS)
        }  # fmt: skip
        self._clock = clock
        self.numbers = Numbers()

    def visited(self, visit: Visit, code: int, error: ApiError | None = None, *, platform: bool = False) -> None:
        """Record it, where it wrote or was refused."""
        if not self._files or not (code in events.REFUSED or visit.writes):
            return
        name = PLATFORM if platform else CLIENTS if visit.identity else STRANGERS
        self._files[name].add(_line(events.event(visit, code, error, self._clock.now())))

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def _line(event: Object) -> bytes:
    try:
        return orjson.dumps(event)
    except TypeError:  # a header may hold bytes that are no text, and is recorded all the same
        return json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")


class _File:
    """Opened at the first record; renamed to .1, .2, ... when it has grown."""

    def __init__(self, path: Path, largest: int, kept: int) -> None:
        self._path, self._largest, self._kept = path, largest, kept
        self._descriptor = -1
        self._size = 0
        self._failed = False

    def add(self, line: bytes) -> None:
        try:
            if self._descriptor < 0:
                self._open()
            elif self._size >= self._largest:
                self._turn()
            self._size += os.write(self._descriptor, line + b"\n")
            self._failed = False
        except OSError as problem:
            if not self._failed:  # once, and again after it has worked in between
                log.error("the audit log %s cannot be written (%s): make room there", self._path, problem.strerror)
            self._failed = True

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _turn(self) -> None:
        self.close()
        for number in range(self._kept, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path
