"""What whoever runs the platform may set about bytes and where they are: the table [artifacts] of config.toml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fairway.artifacts import mirrors
from fairway.artifacts.sources.buckets import SCHEMES
from fairway.kernel.settings import Settings, SettingsError


@dataclass(frozen=True)
class ArtifactsSettings(Settings):
    """For all features that fetch: artifacts of pipelines, models that are served."""

    url: str = ""
    """Where the artifacts of runs are kept: s3://bucket/prefix or its like. Nothing: the data directory."""
    credentials_file: str = ""
    """A file of lines such as AWS_ACCESS_KEY_ID=..., the platform's own credentials for object stores."""
    own_credentials_for: tuple[str, ...] = ()
    """Addresses that every namespace may reach with those, besides the artifacts: s3://bucket/prefix, or * for all."""
    mirrors: tuple[str, ...] = ()
    """Addresses that are kept elsewhere, each as PREFIX=PLACE, such as gs://models=/srv/models."""

    keep_fetched_days: int = 30
    """How long what was fetched stays in the cache without being used; 0 for ever."""
    keep_fetched_gib: int = 0
    """How much of it stays at most; the longest unused goes first. 0 for any amount."""

    def __post_init__(self) -> None:
        for mirror in self.mirrors:
            try:
                mirrors.split(mirror)
            except ValueError as wrong:
                raise SettingsError(f"mirrors: {wrong}") from None
        if self.url and self.url.partition("://")[0] not in SCHEMES:
            raise SettingsError(f"url: {self.url!r} is no bucket, such as s3://bucket/prefix")
        if min(self.keep_fetched_days, self.keep_fetched_gib) < 0:
            raise SettingsError("keep_fetched_days and keep_fetched_gib must not be below 0")
        self.credentials()

    @property
    def most_fetched_bytes(self) -> int:
        return self.keep_fetched_gib << 30

    def credentials(self) -> dict[str, str]:
        """What the file says, read anew, since keys change. Raises SettingsError where it cannot be read."""
        if not self.credentials_file:
            return {}
        try:
            lines = Path(self.credentials_file).expanduser().read_text().splitlines()
        except OSError as failure:
            raise SettingsError(f"credentials_file: {self.credentials_file} cannot be read") from failure
        pairs = (line.removeprefix("export ").partition("=") for line in map(str.strip, lines) if _says_something(line))
        return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _says_something(line: str) -> bool:
    return "=" in line and not line.startswith("#")
