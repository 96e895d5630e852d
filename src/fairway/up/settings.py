"""How `fairway up` runs, and how it fails. Light to import: commands that only ask pay for nothing else."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

from fairway.kernel.settings import Settings, SettingsError


class StartError(Exception):
    """The platform cannot start; the text says why and what to do."""


def default_data_dir() -> Path:
    return Path.home() / ".local" / "share" / "fairway"


@dataclass(frozen=True)
class UpSettings(Settings):
    """How `fairway up` runs."""

    data_dir: Path = field(default_factory=default_data_dir)
    """Where everything is kept; a folder of its own, readable by its owner only."""
    host: str = "127.0.0.1"
    """Address of the one public port. Anything but loopback still asks every caller for a token."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names of the one public port, such as this machine's in the network. Its addresses need none."""
    port: int = 8080
    """The one public port: dashboard, APIs and inference."""
    kubeconfig: str = ""
    """Use this cluster instead of the embedded one."""
    domain: str = "example.com"
    """Services are reached by host as NAME-NAMESPACE.DOMAIN."""

    service_accounts: str = "own-namespace"
    """What service accounts may do in their namespace without a Role: own-namespace (everything) or roles-only."""
    container_engine: str = "auto"
    """What runs images that are not in the catalogue: auto (podman or docker, where one works), none, or a command."""
    run_images_as: str = "process"
    """How images of the catalogue run: process or container."""
    image_programs: tuple[str, ...] = ()
    """Images that are programs of this machine, each as NAME=COMMAND, such as me/tool=python3 /srv/tool.py."""
    restart_delay: float = 1.0
    """Seconds before a container that failed runs again; it doubles each time. Other clusters begin with ten."""
    longest_restart_delay: float = 300.0
    """Seconds that this grows to at most."""

    def __post_init__(self) -> None:
        for line in self.image_programs:
            name, _, command = line.partition("=")
            if not name or not command.strip():
                raise SettingsError(f"image_programs: {line!r} is not NAME=COMMAND, as in me/tool=python3 /srv/tool.py")
        if self.service_accounts not in ("own-namespace", "roles-only"):
            raise SettingsError(f"service_accounts is own-namespace or roles-only, not {self.service_accounts!r}")
        if self.run_images_as not in ("process", "container"):
            raise SettingsError(f"run_images_as is process or container, not {self.run_images_as!r}")
        if not 0 < self.restart_delay <= self.longest_restart_delay:
            raise SettingsError("restart_delay is more than 0, and at most longest_restart_delay")
        if not 1 <= self.port <= 65535:
            raise SettingsError(f"port {self.port} does not exist: choose one from 1 to 65535 with --port")


def claim(folder: Path) -> None:
    """Make the data directory, private to its owner. Raises StartError where that cannot be."""
    otherwise = "choose another one with --data-dir"
    if folder.exists() and not folder.is_dir():
        raise StartError(f"the data directory {folder} is a file: {otherwise}")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_uid != os.getuid():
            raise StartError(f"{folder} belongs to another user: choose your own folder with --data-dir")
        folder.chmod(0o700)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_text("fairway")
        probe.unlink()
    except OSError as problem:
        what = "make room there, or " if problem.errno == errno.ENOSPC else ""
        text = f"cannot write to the data directory {folder} ({problem.strerror}): {what}{otherwise}"
        raise StartError(text) from problem
