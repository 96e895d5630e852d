"""Reads the audit log back: newest first, from files that are being written meanwhile."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path

import orjson

from fairway.kernel.objects.kinds import Object

FOLDER = "audit"
"""In the data directory."""
CLIENTS, PLATFORM, STRANGERS = "clients.log", "platform.log", "strangers.log"


def newest_first(folder: Path, *, platform: bool = False) -> Iterator[Object]:
    """The records of clients and strangers; with `platform` those of its own controllers, too."""
    names = (CLIENTS, STRANGERS, *((PLATFORM,) if platform else ()))
    return heapq.merge(*(_of(folder, name) for name in names), key=_when, reverse=True)


def _of(folder: Path, name: str) -> Iterator[Object]:
    older = sorted(folder.glob(f"{name}.*"), key=lambda path: int(path.suffix[1:]))
    for path in (folder / name, *older):
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            continue  # none yet, or renamed in this moment
        for line in reversed(lines):
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # half a line, written in this moment or when the power went


def _when(record: Object) -> str:
    return str(record["stageTimestamp"])
