"""The small C library that is preloaded into pods: compiled once, where a compiler is. Two files say what it does:
`guard.c` (each pod on its own address, closed to others) and `names.c` (the cluster's names resolve).

The same file is mounted into containers, so it must load beside any C library.

Without one, pods run all the same; what is lost then is said by `WHY_NOT`, in the Node's annotations and by
`fairway doctor`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

log = logging.getLogger(__name__)

WHY_NOT = (
    "no C compiler (cc) was found on this Linux machine, so two pods cannot listen on the same port of all "
    "interfaces, other users of this machine can connect to pods, and names of Services do not resolve in processes. "
    "Install gcc or clang and start again."
)


_SOURCES = ("guard.c", "names.c")
_FLAGS = (
    "-shared", "-fPIC", "-O2", "-std=gnu11",
    # In a container it meets another C library: nothing of ours may be asked of it by name or version.
    "-nostdlib", "-U_FORTIFY_SOURCE", "-fno-stack-protector",
)  # fmt: skip


def library(data_dir: Path) -> Path | None:
    """The compiled library, below `data_dir`; None where it cannot be had."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux":
        return None
    room = resources.files("fairway.cluster.node")
    sources = [room.joinpath(name).read_bytes() for name in _SOURCES]
    stamp = hashlib.sha256(b"".join(sources) + repr(_FLAGS).encode()).hexdigest()[:16]
    target = data_dir / "preload" / f"guard-{stamp}.so"
    if target.exists() and target.stat().st_size:  # a power failure leaves the name and may take what it names
        return target
    if compiler is None:
        return None
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    temporary = target.with_suffix(f".{os.getpid()}")
    with resources.as_file(room) as folder:
        files = [str(folder / name) for name in _SOURCES]
        built = subprocess.run([compiler, *_FLAGS, *files, "-o", str(temporary)], capture_output=True, check=False)
    if built.returncode:
        log.warning("the library for pods was not built: %s", built.stderr.decode(errors="replace").strip())
        return None
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.rename(target)
    return target
