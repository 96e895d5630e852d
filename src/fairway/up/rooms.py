"""The settings of the features: each has a table of the configuration file, `[pipelines]`, and variables of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fairway.features import FEATURES
from fairway.kernel import settings
from fairway.kernel.settings import Loaded, Settings, SettingsError


def load(file: Path, environment: Mapping[str, str]) -> dict[str, Loaded[Settings]]:
    """By feature. Raises SettingsError, also for a table that no feature reads."""
    kinds = {feature.name: feature.settings for feature in FEATURES if feature.settings is not None}
    for name in settings.tables(file):
        if name not in kinds:
            raise SettingsError(f"{file}: unknown table [{name}]; known are {', '.join(sorted(kinds))}")
    return {name: settings.load(kind, file=file, environment=environment, table=name) for name, kind in kinds.items()}
