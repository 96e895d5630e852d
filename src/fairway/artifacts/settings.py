"""What whoever runs the platform may set about bytes and where they are: the table [artifacts] of config.toml."""

from __future__ import annotations

from dataclasses import dataclass

from fairway.artifacts import mirrors
from fairway.kernel.settings import Settings, SettingsError


@dataclass(frozen=True)
class ArtifactsSettings(Settings):
    """For all features that fetch: artifacts of pipelines, models that are served."""

    mirrors: tuple[str, ...] = ()
    """Addresses that are kept elsewhere, each as PREFIX=PLACE, such as gs://models=/srv/models."""

    def __post_init__(self) -> None:
        for mirror in self.mirrors:
            try:
                mirrors.split(mirror)
            except ValueError as wrong:
                raise SettingsError(f"mirrors: {wrong}") from None
