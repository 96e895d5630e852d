"""A private view of the file system for a container, so that a mountPath is where the container expects it.

Needs Linux, and root or unprivileged user namespaces; `allowed` tries it out. A mount point that the machine does
not have is made inside the view only: the nearest folder that exists is covered by a small tmpfs that has the same
entries (bound from the original) and the missing one. The host's own files are never touched.
"""

from __future__ import annotations

import ctypes
import os
import platform
import stat
import sys
import tempfile
from contextlib import suppress

Wanted = tuple[str, str, bool]
"""(source, target, read only)"""

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_RDONLY, _REMOUNT, _BIND, _MOVE, _REC, _PRIVATE = 1, 32, 4096, 8192, 16384, 1 << 18
_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}


def allowed() -> bool:
    """Whether this machine lets us; found out by a child that tries."""
    if sys.platform != "linux" or platform.machine() not in _PIVOT_ROOT:
        return False
    pid = os.fork()
    if pid == 0:
        try:
            with tempfile.TemporaryDirectory() as folder:
                enter([(folder, f"{folder}/missing/point", True)])
                os._exit(0 if os.path.isdir(f"{folder}/missing/point") else 1)
        except OSError:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def enter(wanted: list[Wanted]) -> None:
    """Leave the machine's view for one with the wanted mounts. Raises OSError."""
    _unshare()
    _mount(None, "/", None, _REC | _PRIVATE)
    wanted = sorted(wanted, key=lambda mount: mount[1].count("/"))
    for source, target, _ in wanted:
        _make_point(os.path.normpath(target), folder=os.path.isdir(source))
    # Sources are opened before anything is mounted: a mount may cover the path of a later source.
    sources = [os.open(source, os.O_PATH) for source, _, _ in wanted]
    for descriptor, (_, target, _) in zip(sources, wanted, strict=True):
        if not os.path.lexists(target):  # inside an earlier mount, which is the container's own
            _create(target, folder=stat.S_ISDIR(os.fstat(descriptor).st_mode))
        _mount(f"/proc/self/fd/{descriptor}", target, None, _BIND | _REC)
        os.close(descriptor)
    for _, target, read_only in wanted:  # after all: the points of later mounts are made in earlier ones
        if read_only:
            _mount(None, target, None, _BIND | _REMOUNT | _RDONLY | _flags(target))


def _unshare() -> None:
    if os.geteuid() == 0:
        _check(_libc.unshare(_CLONE_NEWNS), "unshare")
        return
    user, group = os.geteuid(), os.getegid()
    _check(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWUSER), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _make_point(target: str, *, folder: bool) -> None:
    if os.path.exists(target):
        return
    above = os.path.dirname(target)
    while not os.path.isdir(above):
        above = os.path.dirname(above)
    _cover(above)
    _create(target, folder=folder)


def _create(target: str, *, folder: bool) -> None:
    os.makedirs(target if folder else os.path.dirname(target), exist_ok=True)
    if not folder:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))


def _cover(folder: str) -> None:
    """Put a tmpfs with the same entries in the place of `folder`."""
    stage = tempfile.mkdtemp(prefix="fairway-view-")
    try:
        mode = stat.S_IMODE(os.stat(folder).st_mode)
        _mount("fairway", stage, "tmpfs", 0, f"mode={mode:o}")
        for entry in os.scandir(folder):
            if entry.path != stage:
                _copy_entry(entry, f"{stage}/{entry.name}")
        if folder == "/":
            _pivot(stage)
        else:
            _mount(stage, folder, None, _MOVE)
    finally:
        # In the old view, and for real: the empty folder that the tmpfs was put together on.
        with suppress(OSError):
            os.rmdir(stage)


def _copy_entry(entry: os.DirEntry[str], copy: str) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), copy)
        return
    _create(copy, folder=entry.is_dir())
    _mount(entry.path, copy, None, _BIND | _REC)


def _pivot(root: str) -> None:
    """Make `root` the root, and let go of the old one."""
    here = os.getcwd()
    os.chdir(root)
    number = _PIVOT_ROOT[platform.machine()]
    _check(_libc.syscall(number, b".", b"."), "pivot_root")  # the old root now lies over the new one
    _check(_libc.umount2(b".", _DETACH), "umount")
    os.chdir(here)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    result = _libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])
    _check(result, target)


def _flags(path: str) -> int:
    """The flags a remount must keep: a user namespace may not drop them."""
    return os.statvfs(path).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
