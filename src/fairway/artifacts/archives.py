"""Archives that are unpacked where they were fetched: zip, tar, tar.gz. Only into their folder, and only so much.

Blocking, and called in threads. An archive comes from somebody else: names that lead out, links, devices, and a small
file that unpacks into a large one are refused before anything else is done with them.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from fairway.artifacts.failures import CannotFetch

MOST_FILES = 100_000
LEAST_ROOM = 1 << 30
"""An archive may always unpack into so many bytes, and beyond that into a hundred times its own size."""
LARGEST_RATIO = 100
_CHUNK = 1 << 20
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError,
            RuntimeError)  # fmt: skip


def kind(name: str) -> str:
    """What a file of that name is packed as: zip, tar, or nothing.

    >>> kind("model.tar.gz"), kind("model.joblib.gz")
    ('tar', '')
    """
    lowered = name.lower()
    if lowered.endswith(".zip"):
        return "zip"
    return "tar" if lowered.endswith((".tar", ".tar.gz", ".tgz")) else ""


def unpack(archive: Path, into: Path, packed: str, called: str) -> None:
    """`called` is what its owner calls it. Raises CannotFetch, and then has left parts behind: the caller throws the
    whole folder away."""
    room = max(LEAST_ROOM, archive.stat().st_size * LARGEST_RATIO)
    try:
        members = _zipped(archive, called) if packed == "zip" else _tarred(archive, called)
        for number, (name, content) in enumerate(members):
            if number >= MOST_FILES:
                raise CannotFetch(f"the archive {called} holds more than {MOST_FILES:,} files")
            room = _written(called, _inside(called, into, name), content, room)
    except OSError as wrong:
        raise CannotFetch(f"the archive {called} cannot be unpacked: {wrong.strerror or wrong}") from wrong
    except _DAMAGED as wrong:
        raise CannotFetch(f"the archive {called} cannot be unpacked: {wrong}") from wrong


def _zipped(archive: Path, called: str) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            mode = member.external_attr >> 16
            if (mode & 0o170000) == 0o120000:
                raise CannotFetch(f"the archive {called} holds a link, {member.filename!r}, which is not unpacked")
            if not member.is_dir():
                with packed.open(member) as content:
                    yield member.filename, content


def _tarred(archive: Path, called: str) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive, "r:*") as packed:
        for member in packed:
            if member.isdir():
                continue
            content = packed.extractfile(member) if member.isfile() else None
            if content is None:
                raise CannotFetch(f"the archive {called} holds {member.name!r}, which is neither file nor folder")
            with content:
                yield member.name, content


def _inside(called: str, into: Path, name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts:
        raise CannotFetch(f"the archive {called} holds a name that leads out of it: {name!r}")
    return into / path


def _written(called: str, path: Path, content: IO[bytes], room: int) -> int:
    """The room that is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        while chunk := content.read(_CHUNK):
            room -= len(chunk)
            if room < 0:
                raise CannotFetch(
                    f"the archive {called} unpacks into more than {LARGEST_RATIO} times its size: unpack it "
                    "yourself, and give the folder"
                )
            file.write(chunk)
    return room
