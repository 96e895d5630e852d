"""Finding the platform that runs on a data directory, and speaking to it.

`fairway up` writes `server.json` there once it is ready and removes it at its end. A file left by a killed
server is recognised by its process: a pid is trusted only with its start time.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fairway.cli.verbs import Failure

_FILE = "server.json"


def data_dir(given: Path | None) -> Path:
    if given:
        return given.expanduser().absolute()
    named = os.environ.get("FAIRWAY_DATA_DIR")
    return Path(named).expanduser().absolute() if named else Path.home() / ".local" / "share" / "fairway"


@dataclass(frozen=True)
class Server:
    """A running platform, as it described itself."""

    pid: int
    started: str
    url: str
    api_url: str
    kubeconfig: str
    data_dir: str
    version: str

    @property
    def token(self) -> str:
        return token_of(Path(self.kubeconfig))

    def alive(self) -> bool:
        return self.started == start_time(self.pid)

    def call(self, method: str, path: str, body: Any = None, timeout: float = 10.0) -> Any:
        """One request to the front door with our token. Raises Failure."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 - our own http address
                text = answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                said = refused.read()[:300].decode(errors="replace")
            raise Failure(f"{method} {path} was answered with {refused.code}: {said}") from refused
        except OSError as problem:
            raise Failure(f"{self.url} does not answer ({problem}): see `fairway status`") from problem
        return json.loads(text) if text else None


def describe(server: Server) -> None:
    """Write the description for other commands; only the owner can read it."""
    path = Path(server.data_dir) / _FILE
    temporary = path.with_suffix(".new")
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(asdict(server), indent=2))
    temporary.replace(path)


def forget(folder: Path) -> None:
    """At the end of this process: remove its own description, and never that of another server of the folder."""
    server = find(folder)
    if server and server.pid == os.getpid():
        with suppress(OSError):  # the folder may be gone
            (folder / _FILE).unlink(missing_ok=True)


def find(folder: Path) -> Server | None:
    """The platform that runs on this data directory, if one does."""
    try:
        server = Server(**json.loads((folder / _FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return server if server.alive() else None


def need(given: Path | None) -> Server:
    folder = data_dir(given)
    server = find(folder)
    if server is None:
        raise Failure(f"no platform runs on {folder}: start one with `fairway up`")
    return server


def start_time(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty where there is none, or only a killed one's rest."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]


def token_of(kubeconfig: Path) -> str:
    # Read without the YAML library: this is on the way of every quick command.
    try:
        lines = kubeconfig.read_text().splitlines()
    except OSError as problem:
        raise Failure(
            f"cannot read {kubeconfig} ({problem.strerror}): run `fairway stop`, then `fairway up`"
        ) from problem
    for line in lines:
        name, _, value = line.strip().partition(": ")
        if name == "token":
            return value.strip("'\"")
    raise Failure(f"{kubeconfig} holds no token: run `fairway up` once more")


def welcome(url: str, folder: Path, kubeconfig: Path, stop: str) -> str:
    return (
        f"Fairway is ready.\n"
        f"  dashboard   {url}\n"
        f"              (works once; `fairway open` prints another)\n"
        f"  data        {folder}\n"
        f"  kubectl     export KUBECONFIG={kubeconfig}\n"
        f"  stop        {stop}"
    )
