"""The guides are true: their blocks are run in order, as a reader would, against a platform.

A `python` block is run in one namespace with those before it; where its first line is a comment with a file's name, it
is also that file. A `text` block after it is what it prints. In a `console` block, lines with `$` are commands, lines
with `(Pdb)` are typed into the command before them, and all other lines are what can be read; one that begins with
`fairway: ` or `FAILED` says that the command fails. An `ipython` block is a notebook's cell. `…` stands for anything.
A comment `<!-- needs: package, ... -->` under a heading leaves that part out where one of them is not installed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Installation

ROOT = Path(__file__).parents[2]
GUIDES = ("docs/pipelines.md", "docs/models.md")
KINDS = ("python", "text", "console", "ipython")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@dataclass(frozen=True)
class Block:
    line: int
    kind: str
    text: str
    needs: tuple[str, ...] = ()


def blocks(document: str) -> Iterator[Block]:
    needs: tuple[str, ...] = ()
    pattern = r"^```(\w*)\n(.*?)^```$|^(## )|^<!-- needs: (.*?) -->$"
    for found in re.finditer(pattern, document, re.MULTILINE | re.DOTALL):
        if found[3] or found[4]:
            needs = tuple(re.split(r",\s*", found[4])) if found[4] else ()
        else:
            yield Block(document.count("\n", 0, found.start()) + 1, found[1], found[2], needs)


def is_here(need: str) -> bool:
    """A Python package, or a program."""
    return importlib.util.find_spec(need) is not None or shutil.which(need) is not None


class Reader:
    """Somebody who types what the guide says."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.names: dict[str, Any] = {"__name__": "guide"}
        self.printed = ""
        self.shell: Any = None

    def read(self, block: Block) -> None:
        getattr(self, block.kind)(block)

    def python(self, block: Block) -> None:
        named = re.match(r"# (\w+\.py)\n", block.text)
        file = self.folder / (named[1] if named else f"line_{block.line}.py")
        file.write_text(block.text)  # kfp reads the source of functions from their file
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block.text, str(file), "exec", dont_inherit=True), self.names)
        self.printed = out.getvalue()

    def text(self, block: Block) -> None:
        self.compare(block, block.text.splitlines(), self.printed)

    def console(self, block: Block) -> None:
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, _, shown = re.sub(r"\\\n\s*", "", part).partition("\n")
            typed = re.findall(r"^\(Pdb\) (.*)$", shown, re.MULTILINE)
            expected = [line for line in shown.splitlines() if line and not line.startswith("(Pdb)")]
            done = subprocess.run(
                ["bash", "-c", command],
                input="\n".join(typed) + "\n" if typed else "",
                cwd=self.folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
                check=False,
            )
            fails = any(line.startswith(("fairway: ", "FAILED")) for line in expected)
            assert (done.returncode != 0) == fails, f"{self.name}:{block.line}: $ {command}\n{done.stdout}"
            self.compare(block, expected, done.stdout.replace("(Pdb) ", ""))

    def ipython(self, block: Block) -> None:
        interactive = pytest.importorskip("IPython.core.interactiveshell", reason="IPython is not installed")
        self.shell = self.shell or interactive.InteractiveShell.instance(user_ns=self.names)
        done = self.shell.run_cell(block.text)
        interactive.InteractiveShell.clear_instance()
        assert done.success, f"{self.name}:{block.line}: {done.error_in_exec or done.error_before_exec}"

    def compare(self, block: Block, expected: list[str], said: str) -> None:
        """Each expected line can be read, in that order."""
        lines = iter([" ".join(line.split()) for line in said.splitlines()])
        for line in filter(None, (" ".join(line.split()) for line in expected)):
            pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
            assert any(pattern.fullmatch(each) for each in lines), f"{self.name}:{block.line}: no {line!r} in\n{said}"


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_can_be_followed(
    name: str, platform: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRWAY_DATA_DIR", str(platform.folder))
    monkeypatch.setenv("HOME", str(platform.folder.parent))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    reader, missing = Reader(name, tmp_path), set()
    try:
        for block in blocks((ROOT / name).read_text()):
            assert block.kind in KINDS, f"{name}:{block.line}: a block is one of {', '.join(KINDS)}"
            lacking = [need for need in block.needs if not is_here(need)]
            missing.update(lacking)
            if not lacking:
                reader.read(block)
    finally:
        of_guide = [
            key for key, module in sys.modules.items() if f"{tmp_path}/" in str(getattr(module, "__file__", ""))
        ]
        for key in of_guide:
            del sys.modules[key]
    if missing:
        pytest.skip(f"{name} was followed but for what needs {', '.join(sorted(missing))}")
