"""Where a platform is and how one gets in: on this machine by its data directory, elsewhere by the environment.

`fairway up` describes itself in `server.json` once it is ready; the command line, the SDK of each feature and code in
pods look here. A file left by a killed server is recognised by its process: a pid is trusted only with its start
time. Light: the standard library only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = "server.json"
DATA_DIR, ENDPOINT, TOKEN_FILE = "FAIRWAY_DATA_DIR", "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_SA_TOKEN_PATH"
"""Names of environment variables. The last two are what Kubeflow's own clients read."""

_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class Nowhere(Exception):
    """There is no platform, or no way into it. The text says what to do."""


@dataclass(frozen=True)
class Description:
    """A running platform, as it described itself."""

    pid: int
    started: str
    url: str
    api_url: str
    kubeconfig: str
    data_dir: str
    version: str

    def alive(self) -> bool:
        return self.started == start_time(self.pid)


@dataclass(frozen=True)
class Access:
    """The front door's address, without a slash at the end, and a bearer token that it takes."""

    url: str
    token: str


def access(folder: Path | None = None) -> Access:
    """The way into the platform: on `folder`, else on $FAIRWAY_DATA_DIR, else at $KF_PIPELINES_ENDPOINT (as in every
    step of a pipeline), else on the default data directory. Raises Nowhere."""
    if folder is None and not os.environ.get(DATA_DIR) and os.environ.get(ENDPOINT):
        url = os.environ[ENDPOINT].rstrip("/")
        return Access(url if "://" in url else f"https://{url}", _token_for(url))
    found = need(data_dir(folder))
    return Access(found.url, token_of(Path(found.kubeconfig)))


def data_dir(given: Path | None = None) -> Path:
    if given:
        return given.expanduser().absolute()
    named = os.environ.get(DATA_DIR)
    return Path(named).expanduser().absolute() if named else Path.home() / ".local" / "share" / "fairway"


def find(folder: Path) -> Description | None:
    """The platform that runs on this data directory, if one does."""
    try:
        found = Description(**json.loads((folder / FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.alive() else None


def need(folder: Path) -> Description:
    found = find(folder)
    if found is None:
        raise Nowhere(f"no platform runs on {folder}: start one with `fairway up`")
    return found


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
        raise Nowhere(
            f"cannot read {kubeconfig} ({problem.strerror}): run `fairway stop`, then `fairway up`"
        ) from problem
    for line in lines:
        name, _, value = line.strip().partition(": ")
        if name == "token":
            return value.strip("'\"")
    raise Nowhere(f"{kubeconfig} holds no token: run `fairway up` once more")


def _token_for(url: str) -> str:
    """In a pod the token of its service account; elsewhere that of a platform here, or what `fairway login` wrote."""
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ
    beside = (
        Path(os.environ.get("KUBECONFIG", "")).with_name("token") if in_pod and "KUBECONFIG" in os.environ else None
    )
    for path in (os.environ.get(TOKEN_FILE), _ACCOUNT_TOKEN, beside):
        if path and os.path.exists(path):
            return Path(path).read_text().strip()
    here = find(data_dir())
    if here and here.url == url:
        return token_of(Path(here.kubeconfig))
    written = _kfp_context().get("client_authentication_header_value", "")
    if written.startswith("Bearer "):
        return written.removeprefix("Bearer ")
    raise Nowhere(
        f"{ENDPOINT} is {url}, and there is no token for it: run `fairway login` there, or name a token file in "
        f"{TOKEN_FILE}"
    )


def _kfp_context() -> Mapping[str, str]:
    try:
        found = json.loads((Path.home() / ".config" / "kfp" / "context.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
