"""`fairway up`: start the platform. In the foreground until Ctrl-C, or with --detach until `fairway stop`."""

from __future__ import annotations

import argparse
import gc
import importlib
import ipaddress
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from fairway.cli import connection
from fairway.cli.verbs import Failure
from fairway.kernel.settings import Loaded, SettingsError, load
from fairway.up.settings import StartError, UpSettings, claim

_DETACHED_START_SECONDS = 60.0
_LEAST_ROOM = 64 * 1024
"""Bytes below which a start that left no word is taken to have found no room for one."""
_EXPOSED = (
    "warning: {host} can be reached from other machines. Every caller needs a token, but HTTP is not encrypted: who "
    "can read the network's traffic can read tokens. Put a TLS proxy before it, or listen on 127.0.0.1 and use ssh -L"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", metavar="ADDRESS", help="listen here (default: 127.0.0.1, this machine only)")
    parser.add_argument("--port", type=int, help="the one public port (default: 8080)")
    parser.add_argument("--kubeconfig", metavar="FILE", help="use this cluster instead of the embedded one")
    parser.add_argument("--domain", help="services are reached by host as NAME-NAMESPACE.DOMAIN")
    parser.add_argument("--detach", action="store_true", help="return once ready; end it with `fairway stop`")
    parser.add_argument("--quiet", action="store_true", help="print nothing once ready")


def settings(options: argparse.Namespace) -> Loaded[UpSettings]:
    folder = connection.data_dir(options.data_dir)
    names = ("host", "port", "kubeconfig", "domain", "data_dir")
    flags = {name: getattr(options, name, None) for name in names}
    try:
        loaded = load(UpSettings, file=folder / "config.toml", environment=os.environ, flags=flags)
    except SettingsError as problem:
        raise Failure(str(problem)) from problem
    # The same folder for every command, wherever it is called from.
    return Loaded(replace(loaded.values, data_dir=folder), loaded.sources)


def run(options: argparse.Namespace) -> int:
    values = settings(options).values
    if not _only_this_machine(values.host):
        print(_EXPOSED.format(host=values.host), file=sys.stderr)
    running = connection.find(values.data_dir)
    if running:
        raise Failure(
            f"a platform already runs on {values.data_dir} at {running.url} (process {running.pid}): "
            "use it, or end it with `fairway stop`"
        )
    try:
        claim(values.data_dir)
    except StartError as problem:
        raise Failure(str(problem)) from problem
    if options.detach:
        return _detach(values, quiet=options.quiet)
    # Little of what a start makes is garbage, imports included: the foreground collects again once it is ready.
    gc.disable()
    # The foreground brings the whole house with it; whoever only detaches does not pay for that.
    return int(importlib.import_module("fairway.cli.foreground").run(values, quiet=options.quiet))


def _only_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _detach(values: UpSettings, *, quiet: bool) -> int:
    """Start the same command in a session of its own and wait until it is ready."""
    command = [sys.executable, "-m", "fairway", "up", "--quiet", "--data-dir", str(values.data_dir)]
    command += ["--host", values.host, "--port", str(values.port), "--domain", values.domain]
    if values.kubeconfig:
        command += ["--kubeconfig", str(Path(values.kubeconfig).expanduser().absolute())]
    log = (values.data_dir / "server.log").open("ab")
    with log:
        start = log.tell()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    server = _wait(child, values.data_dir, start)
    if not quiet:
        url = server.call("POST", "/login/one-time")["url"]
        stop = f"fairway stop --data-dir {values.data_dir}"
        print(connection.welcome(url, values.data_dir, Path(server.kubeconfig), stop))
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
    if not lines and shutil.disk_usage(log.parent).free < _LEAST_ROOM:
        return f"the disk is full, so that not even a log was written: make room below {log.parent} and start again"
    return f"the platform ended at its start: see {log}"
