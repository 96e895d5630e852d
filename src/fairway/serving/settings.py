"""What whoever runs the platform may set about serving: the table [serving] of config.toml."""

from __future__ import annotations

from dataclasses import dataclass

from fairway.kernel.settings import Settings, SettingsError
from fairway.serving.scaling import asked


@dataclass(frozen=True)
class ServingSettings(Settings):
    """How services run where they do not say it themselves."""

    scale_to_zero_grace: str = "30s"
    """How long a service that nobody calls keeps its last pod after the activator stands before it, such as 30s."""

    def __post_init__(self) -> None:
        try:
            asked.seconds(self.scale_to_zero_grace)
        except ValueError as wrong:
            text = f"scale_to_zero_grace: {self.scale_to_zero_grace!r} is not a duration such as 30s or 5m"
            raise SettingsError(text) from wrong
