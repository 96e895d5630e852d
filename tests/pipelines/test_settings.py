"""The settings of pipelines: mistakes are named at the start, and the feature gets what the platform read."""

from pathlib import Path

import pytest

from fairway.kernel.settings import SettingsError
from fairway.pipelines.settings import PipelinesSettings
from fairway.up import rooms


@pytest.mark.parametrize(
    ("name", "value"),
    [("cron_time_zone", "Mars/Olympus"), ("cache_max_age", "a week"), ("cache_by", "name"), ("smtp_security", "ssh")],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        PipelinesSettings(**{name: value})


def test_the_configuration_file_has_a_table_for_them(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[pipelines]\ncache_max_age = "7d"\n')
    found = rooms.load(file, {"FAIRWAY_PIPELINES_CRON_TIME_ZONE": "Europe/Berlin"})["pipelines"]
    assert found.values == PipelinesSettings(cache_max_age="7d", cron_time_zone="Europe/Berlin")
    assert isinstance(found.values, PipelinesSettings)
    assert found.values.cache_seconds == 7 * 86400
    file.write_text("[pipelnes]\n")
    with pytest.raises(SettingsError, match="pipelnes"):
        rooms.load(file, {})
