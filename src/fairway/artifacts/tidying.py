"""Keeping the cache of what was fetched in bounds: by when it was used last, and by how much it is in all.

Blocking, and called in threads, beside fetches: what somebody just found or is about to place is recent, and not old
enough to go. Losing any of it loses nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_FRESH_SECONDS = 3600.0
"""Nothing younger is touched, whatever the bounds say."""
_PART_SECONDS = 2 * 24 * 3600.0
"""What was not fetched to its end goes after so long without a byte."""


@dataclass(frozen=True, slots=True)
class Tidied:
    files: int
    size: int


def tidy(folder: Path, *, unused_since: float, most: int, now: float | None = None) -> Tidied:
    """Remove contents that nobody has used since then, and the oldest until they have at most `most` bytes; 0 is no
    bound."""
    now = time.time() if now is None else now
    used = _last_uses(folder / "known")
    contents = sorted(_contents(folder / "contents", used))
    whole, gone = sum(size for _, size, _ in contents), Tidied(0, 0)
    for at, size, path in contents:
        too_old, too_much = at < unused_since, bool(most) and whole > most
        if at < now - _FRESH_SECONDS and (too_old or too_much):
            path.unlink(missing_ok=True)
            whole, gone = whole - size, Tidied(gone.files + 1, gone.size + size)
    _remove_loose_ends(folder, now)
    return gone


def _last_uses(known: Path) -> dict[str, float]:
    """By digest."""
    uses: dict[str, float] = {}
    for note in known.glob("*/*"):
        with suppress(OSError):
            digest = note.read_text().partition(" ")[0]
            uses[digest] = max(uses.get(digest, 0.0), note.stat().st_mtime)
    return uses


def _contents(folder: Path, used: dict[str, float]) -> Iterator[tuple[float, int, Path]]:
    """(last use, bytes, path); of one that nothing tells of, when it came."""
    for path in folder.glob("*/*"):
        with suppress(OSError):
            found = path.stat()
            yield used.get(path.name, found.st_ctime), found.st_size, path


def _remove_loose_ends(folder: Path, now: float) -> None:
    """Notes of contents that are gone, and parts that nobody goes on with."""
    for note in (folder / "known").glob("*/*"):
        with suppress(OSError):
            digest = note.read_text().partition(" ")[0]
            if not (folder / "contents" / digest[:2] / digest).exists():
                note.unlink()
    for part in (folder / "parts").glob("*"):
        with suppress(OSError):
            if part.stat().st_mtime < now - _PART_SECONDS:
                os.unlink(part)
