"""The SHA-256 of a file, or of a folder with everything in it: what two artifacts have in common that are the same.

A pod takes it of what its step made, the engine of what came from elsewhere. Standard library only.
"""

from __future__ import annotations

import hashlib
import os

NOTHING = "nothing"
"""In place of a digest where there is nothing to read."""


def of(path: str) -> str:
    """Names, contents and links count; times, owners and modes do not."""
    if not os.path.lexists(path):
        return NOTHING
    if not os.path.isdir(path):
        return _of_file(path)
    whole = hashlib.sha256()
    for place, folders, files in os.walk(path):
        folders.sort()
        inside = os.path.relpath(place, path)
        for name in sorted(files + [each for each in folders if os.path.islink(os.path.join(place, each))]):
            found = os.path.join(place, name)
            content = f"link {os.readlink(found)}" if os.path.islink(found) else _of_file(found)
            # No name holds NUL, so that no two folders are spelled alike.
            whole.update(f"{inside}\0{name}\0{content}\0".encode(errors="surrogateescape"))
        whole.update(f"{inside}\0\0".encode(errors="surrogateescape"))
    return whole.hexdigest()


def _of_file(path: str) -> str:
    if not os.path.isfile(path):
        return NOTHING  # a pipe, say, which would be waited for
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
