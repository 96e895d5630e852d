"""The files of a configMap, secret, projected or downwardAPI volume, replaced all at once.

As the kubelet lays them out: the files are in a folder of their own, the link `..data` names it, and what a container
sees beside it are links into `..data`. Whoever reads follows one link that is renamed in one step, and so never sees a
half of what is new. A container sees the folder around all that, and only to read.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fairway.cluster.node.runtime import CannotStart

CURRENT = "..data"
_FOLDER_MODE = 0o755


class File(NamedTuple):
    content: bytes
    mode: int


def publish(place: Path, files: Mapping[str, File]) -> None:
    """Show exactly these files, by their paths, in the folder `place`. Costs no write where they are there already."""
    for path in files:
        check(path)
    now = _current(place)
    if now is not None and _holds(now, files):
        return
    new = Path(tempfile.mkdtemp(prefix=time.strftime("..%Y_%m_%d_%H_%M_%S.", time.gmtime()), dir=place))
    try:
        for path, file in files.items():
            _write(new, path, file)
        new.chmod(_FOLDER_MODE)
        _link(new.name, place / CURRENT)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    _show(place, {path.partition("/")[0] for path in files})
    if now is not None:
        shutil.rmtree(now, ignore_errors=True)


def current(place: Path, path: str) -> Path:
    """Where the file is that a reader finds now, and where it may be replaced alone."""
    check(path)
    return place / CURRENT / path


def copy(source: Path, target: Path) -> None:
    """The file or folder as it is now, and stays: what is mounted by a subPath does not follow its object."""
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def check(path: str) -> None:
    """Raises CannotStart for a path that leaves its volume, or that is ours."""
    parts = path.split("/")
    if not path or path.startswith(("/", "..")) or ".." in parts:
        raise CannotStart("CreateContainerConfigError", f'path "{path}" leaves its volume')


def _current(place: Path) -> Path | None:
    with suppress(OSError):
        name = os.readlink(place / CURRENT)
        if name.startswith("..") and "/" not in name and (place / name).is_dir():
            return place / name
    return None


def _holds(folder: Path, files: Mapping[str, File]) -> bool:
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            found[str(path.relative_to(folder))] = path
    if found.keys() != {str(Path(path)) for path in files}:
        return False
    return all(
        (folder / path).read_bytes() == file.content and (folder / path).stat().st_mode & 0o777 == file.mode
        for path, file in files.items()
    )


def _write(folder: Path, path: str, file: File) -> None:
    target = folder / path
    if "/" in path:
        target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, file.mode | 0o200)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, file.mode)  # whatever our own mask is
        stream.write(file.content)


def _show(place: Path, wanted: set[str]) -> None:
    """The links that a container sees; those of files that are gone go after the files."""
    with os.scandir(place) as entries:
        found = {entry.name: entry.is_symlink() for entry in entries if not entry.name.startswith("..")}
    for name, is_link in found.items():
        if is_link and name not in wanted:
            (place / name).unlink()
        elif not is_link and name in wanted and (place / name).is_dir():
            shutil.rmtree(place / name)  # of a version that had no links
    for name in wanted:
        if not found.get(name):
            _link(f"{CURRENT}/{name}", place / name)


def _link(to: str, at: Path) -> None:
    with suppress(FileExistsError):
        os.symlink(to, at)
        return
    temporary = at.with_name(f"..new.{at.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(to)
    temporary.rename(at)
