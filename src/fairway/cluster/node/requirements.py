"""What a pod's packages are: names, and where an installer is to look for them. Nothing is installed here.

A pod carries them as a JSON list in an annotation. An entry is a requirement as pip writes it, or one of a few of
pip's options in the form `--name=value`; any other option is refused, since it could do more than find packages.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement

from fairway.cluster.node.runtime import CannotStart

ANNOTATION = "fairway.dev/requirements"
OPTIONS = ("--index-url", "--extra-index-url", "--find-links", "--trusted-host", "--pre")

_LONGEST = 200


def parse(annotation: str) -> tuple[str, ...]:
    """The value of the annotation, in an order of its own. Raises CannotStart."""
    try:
        listed = json.loads(annotation or "[]")
        if not isinstance(listed, list):
            raise ValueError("it is not a list")
        for item in map(str, listed):
            if item.startswith("-") and item.partition("=")[0] not in OPTIONS:
                raise ValueError(f"{item.partition('=')[0]} is not one of {', '.join(OPTIONS)}")
        return tuple(sorted(str(item) for item in listed))
    except ValueError as problem:
        raise CannotStart(
            "InvalidRequirements",
            f'annotation {ANNOTATION} must be a JSON list such as ["pandas==2.2.0"]: {problem}',
        ) from problem


def packages(requirements: Sequence[str]) -> list[str]:
    return [item for item in requirements if not item.startswith("-")]


def options(requirements: Sequence[str], name: str) -> list[str]:
    """The values of an option. A trusted host is a host, though the SDK writes whole addresses."""
    found = [item.partition("=")[2] for item in requirements if item.partition("=")[0] == name]
    return [urlsplit(value).netloc or value for value in found] if name == "--trusted-host" else found


def told(requirements: Sequence[str]) -> str:
    """The packages, for a sentence. Addresses are left out: they may hold a password."""
    names = ", ".join(item.partition("@")[0].strip() for item in packages(requirements))
    return names if len(names) <= _LONGEST else f"{names[:_LONGEST]} ..."


def satisfied(requirements: Sequence[str]) -> bool:
    """Whether Fairway's own environment has them all; then nobody needs to know where they come from.

    A URL or a path is never taken for satisfied.
    """
    return all(_has(text, frozenset()) for text in packages(requirements))


def _has(text: str, seen: frozenset[str]) -> bool:
    try:
        wanted = Requirement(text)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            return True
    except (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName):  # the installer says what is wrong
        return False
    if wanted.url:
        return False
    try:
        found = importlib.metadata.distribution(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    if not wanted.specifier.contains(found.version, prereleases=True):
        return False
    return all(_has_extra(found, extra, seen) for extra in wanted.extras)


def _has_extra(found: importlib.metadata.Distribution, extra: str, seen: frozenset[str]) -> bool:
    """What name[extra] needs on top of name."""
    this = f"{found.name}[{extra}]"
    if this in seen:
        return True
    for text in found.requires or ():
        part = Requirement(text)
        if part.marker and "extra" in str(part.marker) and part.marker.evaluate({"extra": extra}):
            part.marker = None
            if not _has(str(part), seen | {this}):
                return False
    return True
