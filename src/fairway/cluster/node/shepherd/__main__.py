"""`python -m fairway.cluster.node.shepherd --name N --folder D [--imports a,b]`: become a shepherd.

Returns 0 once the daemon listens on D/N.sock, or says on standard error why it does not. The warm set is imported
by the daemon itself, before it listens: what it imports is what its containers find done.
"""

from __future__ import annotations

import argparse
import fcntl
import gc
import importlib
import os
import resource
import signal
import socket
import sys
import traceback
from contextlib import suppress

from fairway.cluster.node.shepherd import mounts, strays
from fairway.cluster.node.shepherd.daemon import Shepherd


def main() -> int:
    parser = argparse.ArgumentParser(prog="fairway shepherd")
    parser.add_argument("--name", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--imports", default="", help="modules of the warm set, with commas; a missing one is skipped")
    options = parser.parse_args()
    # Some event loops let descriptors slip into their children; held here they would never close for their owner.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(options.folder)
    told, tell = os.pipe()
    if os.fork():
        os.close(tell)
        return _wait(told)
    os.close(told)
    try:
        _daemon(options.name, [name for name in options.imports.split(",") if name], tell)
    except BaseException:
        text = traceback.format_exc()
        with suppress(OSError):
            os.write(tell, text.encode())
        sys.stderr.write(text)
        return 1
    return 0


def _wait(told: int) -> int:
    """Until the daemon has said that it listens, or has died."""
    said = b""
    while data := os.read(told, 4096):
        said += data
        if said == b"ready":
            return 0
    sys.stderr.write(said.decode(errors="replace") or "the shepherd ended before it was ready\n")
    return 1


def _daemon(name: str, imports: list[str], tell: int) -> None:
    os.setsid()
    _only_one(name)
    strays.adopt()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))  # four for each container
    # The server may be ended by Ctrl-C or a closed terminal; the shepherd is not.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _point_streams_at(f"{name}.log")
    _import(imports)
    view = mounts.allowed()
    listener = _listen(f"{name}.sock")
    # Nothing imported so far is garbage: the collector leaves it alone, and pages stay shared with the children.
    gc.collect()
    gc.freeze()
    os.write(tell, b"ready")
    os.close(tell)
    Shepherd(listener, name=name, mounts=view, files=files).run()
    with suppress(FileNotFoundError):
        os.unlink(f"{name}.sock")


def _only_one(name: str) -> None:
    """Wait for another of the same name to end. The lock goes with the process, and not to its children."""
    lock = os.open(f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)


def _point_streams_at(path: str) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # they are text wrappers on 1 and 2


def _import(names: list[str]) -> None:
    """What the warm set names. A part that is not installed is left out: its users import it themselves, and fail
    themselves."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as problem:
            sys.stderr.write(f"warm import of {name}: {problem}\n")


def _listen(path: str) -> socket.socket:
    with suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    return listener


if __name__ == "__main__":
    sys.exit(main())
