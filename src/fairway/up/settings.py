"""How `fairway up` runs, and how it fails. Light to import: commands that only ask pay for nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fairway.kernel.settings import Settings


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
    port: int = 8080
    """The one public port: dashboard, APIs and inference."""
    kubeconfig: str = ""
    """Use this cluster instead of the embedded one."""
    domain: str = "example.com"
    """Services are reached by host as NAME-NAMESPACE.DOMAIN."""
