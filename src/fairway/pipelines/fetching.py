"""Bringing bytes to where a step reads them, in the step's own pod. Standard library only."""

from __future__ import annotations

import os
import shutil
import uuid


class CannotFetch(Exception):
    """The bytes are not there, or not for us. The text says where they should have been."""


def fetch(uri: str, target: str) -> None:
    """Copy a file or a folder, whole or not at all. What is there already stays."""
    if os.path.exists(target):
        return
    source = uri.removeprefix("file://")
    if "://" in source:
        raise CannotFetch(
            f"{uri} cannot be fetched here yet: copy it to this machine and import its path, or a file:// address"
        )
    if not os.path.exists(source):
        raise CannotFetch(f"there is nothing at {source}, from where it is to be fetched")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    unfinished = f"{target}.{uuid.uuid4().hex}"
    if os.path.isdir(source):
        shutil.copytree(source, unfinished, symlinks=True)
    else:
        shutil.copyfile(source, unfinished)
    os.replace(unfinished, target)
