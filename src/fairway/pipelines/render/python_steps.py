"""Recognising lightweight Python components, so that they run without a shell and without pip.

The SDK compiles a function to a shell command: install kfp (and the author's packages), write the source to a file,
run kfp's executor on it. Where the command is exactly that, `inpod` does the same in one warm process, in an
environment that the node builds from the author's packages once; that is a virtual environment in any case, so
nothing is left to do where the author asked for one. Any other script is left alone and run as written.
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

_RUN = re.compile(r"python3 -m kfp\.(dsl|components)\.executor_main")
# Blanks and no line breaks: a program of blank lines would be looked through from each of them.
_HEAVY = re.compile(r"^[ \t]*(?:import|from)[ \t]+(?:numpy|pandas|sklearn|joblib|scipy)\b", re.MULTILINE)
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")
_PIP = ["python3", "-m", "pip", "install"]
_FLAGS = frozenset({"--quiet", "--no-warn-script-location", "--no-cache-dir"})
_OPTIONS = {
    "-i": "--index-url",
    "-f": "--find-links",
    **{name: name for name in ("--index-url", "--extra-index-url", "--find-links", "--trusted-host")},
}
_VENV = frozenset(
    {
        "export PIP_DISABLE_PIP_VERSION_CHECK=1",
        "tmp=$(mktemp -d)",
        'python3 -m venv "$tmp/venv" --system-site-packages',
        '. "$tmp/venv/bin/activate"',
    }
)
_OURS = re.compile(r"(kfp|typing-extensions)\s*([=<>!~;].*)?", re.IGNORECASE | re.DOTALL)
"""Requirements that the SDK adds by itself, pinned to the version that compiled; the step gets ours."""
_INSTALLS = re.compile(r"\b(pip3?|uv)\b[^\n]{0,40}\binstall\b|\bensurepip\b|nbclient")
"""A program that installs packages while it runs; a notebook may, and cannot be read here."""


@dataclass(frozen=True, slots=True)
class PythonStep:
    """`warm` is the set of imports that the node should have ready; `requirements` are the author's own packages, and
    options `--name=value` that say where they are; `installs`: the source installs more of them by itself."""

    source: str
    warm: str
    requirements: tuple[str, ...]
    installs: bool


@functools.lru_cache(maxsize=256)
def recognised(command: tuple[str, ...]) -> PythonStep | None:
    """What the command is as a Python step, or None. Remembered, since every item of a loop asks for the same one."""
    install, run = list(command[:-4]), list(command[-4:])
    if len(run) != 4 or run[:2] != ["sh", "-ec"] or not _RUN.search(run[2]):
        return None
    requirements = _requirements(install)
    if requirements is None:
        return None
    warm = "kfp-ml" if _HEAVY.search(run[3]) else "kfp"
    return PythonStep(run[3], warm, tuple(requirements), installs(run[3:]))


def installs(texts: Iterable[str]) -> bool:
    """Whether a program installs packages itself, as far as one can read: it must not do so where others run."""
    return bool(_INSTALLS.search(" ".join(texts)))


def _requirements(install: list[str]) -> list[str] | None:
    """What the install script asks for beyond the SDK; None where the script does anything else."""
    if not install:
        return []
    if len(install) != 3 or install[:2] != ["sh", "-c"]:
        return None
    script = install[2]
    body = script.partition("\nfi\n")[2] if "ensurepip" in script else script
    *commands, last = [part for each in re.split(r"&&|\n", body) if (part := each.strip())] or [""]
    if last != '"$0" "$@"':
        return None
    found: list[str] = []
    for command in commands:
        if command in _VENV:
            continue
        words = _words(command)
        if words[: len(_PIP)] != _PIP:
            return None
        asked = _arguments(words[len(_PIP) :])
        if asked is None:
            return None
        found += asked
    return list(dict.fromkeys(found))


def _arguments(words: list[str]) -> list[str] | None:
    """What one `pip install` is given beyond the SDK's own; None where it does more than find packages."""
    packages: list[str] = []
    options: list[str] = []
    rest = iter(words)
    for word in rest:
        name, _, value = word.partition("=")
        if name in _OPTIONS:
            options.append(f"{_OPTIONS[name]}={value or next(rest, '')}")
        elif word == "--pre":
            options.append(word)
        elif not word.startswith("-"):
            packages.append(word)
        elif word not in _FLAGS and word != "--no-deps":
            return None
    authors = [package for package in packages if not _OURS.fullmatch(package)]
    if not authors:
        return []
    return None if "--no-deps" in words else [*authors, *options]


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words.pop(0)
    return words
