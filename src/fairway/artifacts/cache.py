"""Fetched files by their content: each once, whoever fetched it, found again by what its source says of it.

    contents/ab/<sha256>      the bytes, read-only
    known/ab/<key>            which content a version of a file at a source has; its time is that of the last use
    parts/<key>               what is being fetched, locked by whoever does it (see `downloading`)

A hit needs the source's own word that its file is still that version, so that nobody reads from the cache what the
source would refuse. Contents are shared by links where they can be: one that was written to since (its time tells) is
no longer what its name says, and is fetched again. Blocking, and called in threads. Losing all of it loses nothing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from fairway.artifacts import cloning


@dataclass(frozen=True, slots=True)
class Content:
    path: Path
    digest: str
    size: int


class Cache:
    def __init__(self, folder: Path) -> None:
        self._contents, self._known, self._parts = folder / "contents", folder / "known", folder / "parts"
        for place in (self._contents, self._known, self._parts):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)

    def part(self, key: str) -> Path:
        """Where the bytes of that version are written until they are whole."""
        return self._parts / key

    def find(self, key: str) -> Content | None:
        """The content of that version, if it is here and nobody wrote to it."""
        note = self._note(key)
        try:
            digest, size, changed = note.read_text().split()
            found = self._content(digest)
            there = found.stat()
        except (FileNotFoundError, ValueError):
            return None
        if (there.st_size, there.st_mtime_ns) != (int(size), int(changed)):
            found.unlink(missing_ok=True)
            return None
        os.utime(note)
        return Content(found, digest, there.st_size)

    def keep(self, key: str, part: Path) -> Content:
        """The part is whole: it becomes content. It is on the disk before anything tells of it."""
        with open(part, "rb+") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fchmod(file.fileno(), 0o400)
            os.fsync(file.fileno())
        content = self._content(digest)
        content.parent.mkdir(exist_ok=True)
        os.replace(part, content)
        found = content.stat()
        self._write(key, f"{digest} {found.st_size} {found.st_mtime_ns}")
        return Content(content, digest, found.st_size)

    def _write(self, key: str, text: str) -> None:
        note = self._note(key)
        note.parent.mkdir(exist_ok=True)
        unfinished = note.with_name(f".{uuid.uuid4().hex}")
        unfinished.write_text(text)
        os.replace(unfinished, note)

    def _content(self, digest: str) -> Path:
        return self._contents / digest[:2] / digest

    def _note(self, key: str) -> Path:
        return self._known / key[:2] / key


def place(content: Path, target: Path) -> None:
    """The content at another place: shares its blocks where the disk can, is a link to it, or else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if cloning.clone(content, target):
        return
    try:
        os.link(content, target)
    except OSError as failure:
        if failure.errno not in (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP):
            raise
        shutil.copyfile(content, target)
