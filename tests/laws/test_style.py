"""The house's manners that a program can see: sizes, names, plaques, words."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "fairway"
MODULES = sorted(SOURCE.rglob("*.py"))

REFUSED_NAMES = {"utils", "util", "helpers", "common", "core", "base", "misc", "manager", "service", "handler"}
LONGEST = 500


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_has_a_plaque_a_good_name_and_a_readable_size(path: Path) -> None:
    text = path.read_text()
    assert path.stem not in REFUSED_NAMES
    assert len(text.splitlines()) <= LONGEST, "split it along a real seam"
    assert path.parent.name == "versions" or ast.get_docstring(ast.parse(text)), "say what the module is for"


def test_no_module_level_state_is_registered_by_import() -> None:
    registering = re.compile(r"^[A-Za-z_.]+\.(register|append|add)\(", re.MULTILINE)
    found = [relative(path) for path in MODULES if registering.search(path.read_text())]
    assert not found


def test_todos_carry_an_issue_number() -> None:
    loose = re.compile(r"#\s*(TODO|FIXME|XXX)(?!\s*#\d+)")
    found = [relative(path) for path in MODULES if loose.search(path.read_text())]
    assert not found
