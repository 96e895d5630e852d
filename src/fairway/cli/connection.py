"""Finding the platform that runs on a data directory, and speaking to it.

`fairway up` writes `server.json` there once it is ready and removes it at its end; `kernel.whereabouts` reads it.
"""

from __future__ import annotations

import importlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fairway.cli.verbs import Failure
from fairway.kernel import whereabouts
from fairway.kernel.whereabouts import data_dir, start_time

__all__ = ["Server", "data_dir", "describe", "find", "forget", "need", "start_time", "welcome"]


@dataclass(frozen=True)
class Server(whereabouts.Description):
    """A running platform, to which commands speak."""

    @property
    def token(self) -> str:
        try:
            return whereabouts.token_of(Path(self.kubeconfig))
        except whereabouts.Nowhere as problem:
            raise Failure(str(problem)) from problem

    def call(self, method: str, path: str, body: Any = None, timeout: float = 10.0) -> Any:
        """One request to the front door with our token. Raises Failure."""
        # Whoever waits for a start to be over has asked nothing yet, and does not pay for what asking needs.
        return importlib.import_module("fairway.cli.calling").call(self.url, self.token, method, path, body, timeout)


def describe(server: Server) -> None:
    """Write the description for other commands; only the owner can read it."""
    path = Path(server.data_dir) / whereabouts.FILE
    temporary = path.with_suffix(".new")
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(asdict(server), indent=2))
    temporary.replace(path)


def forget(folder: Path) -> None:
    """At the end of this process: remove its own description, and never that of another server of the folder."""
    server = find(folder)
    if server and server.pid == os.getpid():
        with suppress(OSError):  # the folder may be gone
            (folder / whereabouts.FILE).unlink(missing_ok=True)


def find(folder: Path) -> Server | None:
    """The platform that runs on this data directory, if one does."""
    found = whereabouts.find(folder)
    return Server(**asdict(found)) if found else None


def need(given: Path | None) -> Server:
    try:
        return Server(**asdict(whereabouts.need(data_dir(given))))
    except whereabouts.Nowhere as problem:
        raise Failure(str(problem)) from problem


def welcome(url: str, folder: Path, kubeconfig: Path, stop: str) -> str:
    return (
        f"Fairway is ready.\n"
        f"  dashboard   {url}\n"
        f"              (works once; `fairway open` prints another)\n"
        f"  data        {folder}\n"
        f"  kubectl     export KUBECONFIG={kubeconfig}\n"
        f"  stop        {stop}"
    )
