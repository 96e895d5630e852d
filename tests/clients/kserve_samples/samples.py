"""Upstream's samples, as they are in a checkout of kserve/kserve ($FAIRWAY_KSERVE_CHECKOUT)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

VARIABLE = "FAIRWAY_KSERVE_CHECKOUT"
FOLDERS = ("docs/samples", "config/runtimes")
GROUP = "serving.kserve.io"


@dataclass(frozen=True)
class Sample:
    """One object of a file."""

    name: str
    """The file's path, with a number where it has several of KServe's objects."""
    obj: dict[str, Any]


@dataclass(frozen=True)
class Found:
    samples: list[Sample]
    others: int
    """Objects of other groups, which are not KServe's."""
    unreadable: list[str]
    """Files that are no YAML."""


def checkout() -> Path | None:
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser().absolute() if named else None


def find(root: Path) -> Found:
    samples: list[Sample] = []
    others, unreadable = 0, []
    for path in _files(root):
        file = str(path.relative_to(root))
        try:
            objects = [obj for obj in yaml.safe_load_all(path.read_text()) if isinstance(obj, dict)]
        except yaml.YAMLError:
            unreadable.append(file)
            continue
        ours = [obj for obj in objects if str(obj.get("apiVersion", "")).startswith(GROUP)]
        others += sum("kind" in obj for obj in objects) - len(ours)
        several = len(ours) > 1
        samples += [Sample(f"{file}#{number}" if several else file, obj) for number, obj in enumerate(ours)]
    return Found(samples, others, unreadable)


def _files(root: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted(path for path in (root / folder).rglob("*.y*ml") if path.suffix in (".yaml", ".yml"))
