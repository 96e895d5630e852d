"""The groups of the suite, as upstream's own files have them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

VARIABLE = "FAIRWAY_KUBERNETES_CHECKOUT"
FOLDER, SCRIPT = "test/cmd", "test/cmd/legacy-script.sh"
_CALL = re.compile(r"^\s*(?:record_command\s+)?(run_\w+)\s*$", re.MULTILINE)
_FUNCTION = re.compile(r"^(run_\w+)\(\)\s*\{", re.MULTILINE)
_OTHERS = ("run_kubeadm_tests",)
"""Not kubectl's."""


def checkout() -> Path | None:
    """None where none is named, or what is named is none."""
    root = Path(os.environ.get(VARIABLE) or "/nowhere")
    return root if (root / SCRIPT).is_file() else None


def find(root: Path) -> list[str]:
    """In upstream's order, each once; then those of files that this release's script does not know."""
    called = dict.fromkeys(_CALL.findall((root / SCRIPT).read_text()))
    defined, within = [], set()
    for file in sorted((root / FOLDER).glob("*.sh")):
        text = file.read_text()
        defined += _FUNCTION.findall(text)
        within |= {name for name in _CALL.findall(text) if file.name != Path(SCRIPT).name}
    newer = [name for name in defined if name not in called and name not in within and not name.endswith("_version")]
    return [name for name in (*called, *newer) if name in defined and name not in _OTHERS]


def line(root: Path, miss: str) -> str:
    """The line of upstream's file that a miss names ("file:line")."""
    name, _, number = miss.partition(":")
    file = root / FOLDER / name
    if not (number.isdigit() and file.is_file()):
        return ""
    return file.read_text().splitlines()[int(number) - 1].strip()


def version(kubectl: Path) -> str:
    """Of a kubectl: v1.32.4."""
    told = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v\d+\.\d+\.\d+", told)
    return found.group() if found else "unknown"
