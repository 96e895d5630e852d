"""The small C library that is preloaded into pods (`guard.c` says what it does): compiled once, where a compiler is.

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
    "interfaces, and other users of this machine can connect to pods. Install gcc or clang and start again."
)


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
    source = resources.files("fairway.cluster.node").joinpath("guard.c").read_bytes()
    stamp = hashlib.sha256(source + repr(_FLAGS).encode()).hexdigest()[:16]
    target = data_dir / "preload" / f"guard-{stamp}.so"
    if target.exists():
        return target
    if compiler is None:
        return None
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    temporary = target.with_suffix(f".{os.getpid()}")
    command = [compiler, *_FLAGS, "-x", "c", "-", "-o", str(temporary)]
    built = subprocess.run(command, input=source, capture_output=True, check=False)
    if built.returncode:
        log.warning("the port guard was not built: %s", built.stderr.decode(errors="replace").strip())
        return None
    temporary.rename(target)
    return target
