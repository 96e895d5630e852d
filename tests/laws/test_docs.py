"""The documents tell the truth: every verb, target, setting and kind is in them, and their links lead somewhere."""

import dataclasses
import re
from pathlib import Path

import pytest

from fairway.cli.verbs import VERBS
from fairway.features import FEATURES
from fairway.up.settings import UpSettings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_in_the_readme(verb: str) -> None:
    assert f"`fairway {verb}" in README


def test_each_target_of_make_is_explained() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    explained = (ROOT / "CONTRIBUTING.md").read_text() + README
    missing = [target for target in phony[1].split() if f"make {target}" not in explained]
    assert not missing


def test_each_kind_of_ours_is_named_where_a_reader_looks() -> None:
    texts = "".join(path.read_text() for path in DOCUMENTS)
    missing = [kind.kind.kind for feature in FEATURES for kind in feature.kinds if kind.kind.kind not in texts]
    assert not missing


def test_each_setting_says_what_it_is_for() -> None:
    source = (ROOT / "src" / "fairway" / "up" / "settings.py").read_text()
    for field in dataclasses.fields(UpSettings):
        assert re.search(rf'    {field.name}: [^\n]*\n    """', source), field.name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target
