"""Recognising lightweight Python components, so that they run without a shell and without pip.

The SDK compiles a function to a shell command: install kfp (and the author's packages), write the source to a file,
run kfp's executor on it. Where the command is exactly that, `inpod` does the same in one warm process. Anything
unusual in it (index options, a virtual environment, other scripts) is left alone and run as written.
"""

from __future__ import annotations

import functools
import re
import shlex
from dataclasses import dataclass

_RUN = re.compile(r"python3 -m kfp\.(dsl|components)\.executor_main")
_HEAVY = re.compile(r"^\s*(?:import|from)\s+(?:numpy|pandas|sklearn|joblib|scipy)\b", re.MULTILINE)
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")
_PIP = ["python3", "-m", "pip", "install"]
_FLAGS = frozenset({"--quiet", "--no-warn-script-location", "--no-deps"})
_OURS = re.compile(r"(kfp|typing-extensions)(?![\w-])", re.IGNORECASE)
"""Requirements that the SDK adds by itself, pinned to the version that compiled; the step gets ours."""


@dataclass(frozen=True, slots=True)
class PythonStep:
    """`warm` is the set of imports that the node should have ready; `requirements` the author's own packages."""

    source: str
    warm: str
    requirements: tuple[str, ...]


@functools.lru_cache(maxsize=256)
def recognised(command: tuple[str, ...]) -> PythonStep | None:
    """What the command is as a Python step, or None. Remembered, since every item of a loop asks for the same one."""
    install, run = list(command[:-4]), list(command[-4:])
    if len(run) != 4 or run[:2] != ["sh", "-ec"] or not _RUN.search(run[2]):
        return None
    requirements = _requirements(install)
    if requirements is None:
        return None
    return PythonStep(run[3], "kfp-ml" if _HEAVY.search(run[3]) else "kfp", tuple(requirements))


def _requirements(install: list[str]) -> list[str] | None:
    """What the install script asks for beyond the SDK; None where the script does anything else."""
    if not install:
        return []
    if len(install) != 3 or install[:2] != ["sh", "-c"]:
        return None
    script = install[2]
    body = script.partition("\nfi\n")[2] if "ensurepip" in script else script
    *commands, last = (part.strip() for part in body.split("&&"))
    if last != '"$0" "$@"':
        return None
    found: list[str] = []
    for command in commands:
        words = _words(command)
        if words[: len(_PIP)] != _PIP:
            return None
        arguments = words[len(_PIP) :]
        if any(word.startswith("-") and word not in _FLAGS for word in arguments):
            return None
        found += [word for word in arguments if not word.startswith("-") and not _OURS.match(word)]
    return found


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words.pop(0)
    return words
