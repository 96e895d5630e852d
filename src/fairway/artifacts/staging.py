"""Where a fetch is put together: a folder beside its target, on the same disk, that is gone when the fetch ends.

Whoever works in one holds it locked; one that nobody holds is of a process that was killed, and goes with the next
fetch to the same place. Where a disk knows no locks on folders, nothing is taken for left.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

_PREFIX = ".fetching-"


@asynccontextmanager
async def staged(target: Path) -> AsyncGenerator[Path, None]:
    beside = target if target.is_dir() else target.parent
    await asyncio.to_thread(_sweep, beside)
    stage, held = await asyncio.to_thread(_made, beside)
    try:
        yield stage
    finally:
        await asyncio.to_thread(shutil.rmtree, stage, ignore_errors=True)
        os.close(held)


def _made(beside: Path) -> tuple[Path, int]:
    """A new one, and what holds it. One that was swept away before it was held is made again."""
    while True:
        stage = beside / f"{_PREFIX}{uuid.uuid4().hex}"
        stage.mkdir(parents=True, mode=0o700)
        with suppress(FileNotFoundError):
            held = os.open(stage, os.O_RDONLY | os.O_DIRECTORY)
            with suppress(OSError):
                fcntl.flock(held, fcntl.LOCK_EX)
            if os.fstat(held).st_nlink:
                return stage, held
            os.close(held)


def _sweep(beside: Path) -> None:
    for left in beside.glob(f"{_PREFIX}*"):
        with suppress(OSError), _taken(left):
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _taken(stage: Path) -> Iterator[None]:
    """Raises OSError where somebody works in it."""
    held = os.open(stage, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(held)
