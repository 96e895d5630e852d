"""Settings come from a file, then the environment, then flags, and remember where each is from."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from fairway.kernel.settings import Settings, SettingsError, load, tables


@dataclass(frozen=True)
class Example(Settings):
    port: int = 1
    folder: Path = Path("/tmp")
    auth: bool = True
    hosts: tuple[str, ...] = ()


def test_later_sources_win_and_are_named(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('port = 2\nhosts = ["a"]\n')
    loaded = load(Example, file=file, environment={"FAIRWAY_PORT": "3", "FAIRWAY_AUTH": "no"}, flags={"port": None})
    assert loaded.values == Example(port=3, auth=False, hosts=("a",))
    assert loaded.sources["port"] == "FAIRWAY_PORT"
    assert loaded.sources["hosts"] == str(file)
    assert loaded.sources["folder"] == "default"


@pytest.mark.parametrize("text", ["prot = 2", 'port = "many"', "port = "])
def test_a_wrong_file_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=str(file)):
        load(Example, file=file)


def test_a_feature_has_a_table_and_variables_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("port = 2\n[pipelines]\nport = 3\n")
    assert load(Example, file=file).values.port == 2
    assert tables(file) == ["pipelines"]
    assert load(Example, file=file, table="pipelines").values.port == 3
    loaded = load(Example, file=file, table="pipelines", environment={"FAIRWAY_PIPELINES_PORT": "4"})
    assert (loaded.values.port, loaded.sources["port"]) == (4, "FAIRWAY_PIPELINES_PORT")


@pytest.mark.parametrize("text", ["[pipelines]\nprot = 2", "pipelines = 2"])
def test_a_wrong_table_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="pipelines"):
        load(Example, file=file, table="pipelines")
