"""`fairway up`: start the platform. In the foreground until Ctrl-C, or with --detach until `fairway stop`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import uvloop

from fairway.cli import connection
from fairway.cli.verbs import Failure
from fairway.cluster.network.errors import NetworkError
from fairway.cluster.store.protocol import StoreFailed
from fairway.cluster.store.lock import StoreLocked
from fairway.kernel.client.kubeconfig import KubeconfigError
from fairway.kernel.objects.errors import ApiError
from fairway.kernel.settings import Loaded, SettingsError, load
from fairway.up import Running, StartError, UpSettings, serve

_SENTENCES = (StartError, NetworkError, StoreFailed, StoreLocked, KubeconfigError, ApiError, OSError)
"""Errors whose text is a sentence for the user; anything else is a defect and shows its traceback."""

_DETACHED_START_SECONDS = 60.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", metavar="ADDRESS", help="listen here (default: 127.0.0.1, this machine only)")
    parser.add_argument("--port", type=int, help="the one public port (default: 8080)")
    parser.add_argument("--kubeconfig", metavar="FILE", help="use this cluster instead of the embedded one")
    parser.add_argument("--domain", help="services are reached by host as NAME-NAMESPACE.DOMAIN")
    parser.add_argument("--detach", action="store_true", help="return once ready; end it with `fairway stop`")
    parser.add_argument("--quiet", action="store_true", help="print nothing once ready")


def settings(options: argparse.Namespace) -> Loaded[UpSettings]:
    folder = connection.data_dir(options.data_dir)
    names = ("host", "port", "kubeconfig", "domain")
    flags = {name: getattr(options, name, None) for name in names}
    try:
        return load(
            UpSettings,
            file=folder / "config.toml",
            environment=os.environ,
            flags={**flags, "data_dir": folder},
        )
    except SettingsError as problem:
        raise Failure(str(problem)) from problem


def run(options: argparse.Namespace) -> int:
    values = settings(options).values
    running = connection.find(values.data_dir)
    if running:
        raise Failure(
            f"a platform already runs on {values.data_dir} at {running.url} (process {running.pid}): "
            "use it, or end it with `fairway stop`"
        )
    if options.detach:
        return _detach(values, quiet=options.quiet)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)

    def ready(platform: Running) -> None:
        _describe(platform)
        if not options.quiet:
            print(_welcome(platform.one_time_url, platform.data_dir, "Ctrl-C, or `fairway stop`"), flush=True)

    try:
        uvloop.run(serve(values, ready))
    except BaseExceptionGroup as group:
        raise _failure(group) from group
    except _SENTENCES as problem:
        raise Failure(_sentence(problem)) from problem
    finally:
        connection.forget(values.data_dir)
    return 0


def _describe(platform: Running) -> None:
    pid = os.getpid()
    connection.describe(
        connection.Server(
            pid=pid,
            started=connection.start_time(pid),
            url=platform.url,
            api_url=platform.api_url,
            kubeconfig=str(platform.kubeconfig),
            data_dir=str(platform.data_dir),
            version=version("fairway"),
        )
    )


def _welcome(url: str, folder: Path, stop: str) -> str:
    return (
        f"Fairway is ready.\n"
        f"  dashboard   {url}\n"
        f"              (works once; `fairway open` prints another)\n"
        f"  data        {folder}\n"
        f"  kubectl     export KUBECONFIG={folder / 'kubeconfig'}\n"
        f"  stop        {stop}"
    )


def _detach(values: UpSettings, *, quiet: bool) -> int:
    """Start the same command in a session of its own and wait until it is ready."""
    command = [sys.executable, "-m", "fairway", "up", "--quiet", "--data-dir", str(values.data_dir)]
    command += ["--host", values.host, "--port", str(values.port), "--domain", values.domain]
    if values.kubeconfig:
        command += ["--kubeconfig", values.kubeconfig]
    try:
        values.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = (values.data_dir / "server.log").open("ab")
    except OSError as problem:
        raise Failure(
            f"cannot write to the data directory {values.data_dir} ({problem.strerror}): choose another with --data-dir"
        ) from problem
    with log:
        start = log.tell()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    server = _wait(child, values.data_dir, start)
    if not quiet:
        url = server.call("POST", "/login/one-time")["url"]
        print(_welcome(url, values.data_dir, f"fairway stop --data-dir {values.data_dir}"))
    return 0


def _wait(child: subprocess.Popen[bytes], folder: Path, log_start: int) -> connection.Server:
    deadline = time.monotonic() + _DETACHED_START_SECONDS
    while time.monotonic() < deadline:
        server = connection.find(folder)
        if server and server.pid == child.pid:
            return server
        if child.poll() is not None:
            raise Failure(_last_words(folder / "server.log", log_start))
        time.sleep(0.02)
    child.terminate()
    raise Failure(f"the platform was not ready in {_DETACHED_START_SECONDS:.0f} s: see {folder / 'server.log'}")


def _last_words(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").strip().splitlines()
    for line in reversed(lines):
        if line.startswith("fairway: "):
            return line.removeprefix("fairway: ")
    return f"the platform ended at its start: see {log}"


def _failure(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one sentence of a failed start; a defect stays the group with its tracebacks."""
    known, rest = group.split(lambda one: isinstance(one, _SENTENCES))
    if known is None or (rest is not None and rest.split(asyncio.CancelledError)[1] is not None):
        return group
    first: BaseException = known
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return Failure(_sentence(first))


def _sentence(problem: BaseException) -> str:
    if isinstance(problem, OSError) and problem.filename:
        return f"{problem.filename}: {problem.strerror}"
    return str(problem) or type(problem).__name__
