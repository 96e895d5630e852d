"""The settings of the rooms: each has a table of the configuration file, `[pipelines]`, and variables of its own.

Those of the features, and those of the artifacts, which all features share.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fairway.artifacts.settings import ArtifactsSettings
from fairway.features import FEATURES
from fairway.kernel import settings
from fairway.kernel.settings import Loaded, Settings, SettingsError


def load(file: Path, environment: Mapping[str, str]) -> dict[str, Loaded[Settings]]:
    """By room. Raises SettingsError, also for a table that no room reads."""
    kinds: dict[str, type[Settings]] = {"artifacts": ArtifactsSettings}
    kinds |= {feature.name: feature.settings for feature in FEATURES if feature.settings is not None}
    for name in settings.tables(file):
        if name not in kinds:
            raise SettingsError(f"{file}: unknown table [{name}]; known are {', '.join(sorted(kinds))}")
    return {name: settings.load(kind, file=file, environment=environment, table=name) for name, kind in kinds.items()}
