"""Names of images: what is compared of them, and patterns that they fit."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def repository(image: str) -> str:
    """The name without docker's default registry, tag and digest.

    >>> repository("docker.io/library/python:3.11@sha256:0"), repository("localhost:5000/a/python:3")
    ('python', 'localhost:5000/a/python')
    """
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        name = name.removeprefix(prefix)
    return name


def fits(image: str, patterns: Iterable[str]) -> bool:
    """Whether the image is one of those that the patterns name.

    >>> fits("docker.io/python:3.11", ("busybox", "python")), fits("me/python:3", ("python",)), fits("me/x", ("*/x",))
    (True, False, True)
    """
    name = repository(image)
    return any(fnmatchcase(name, pattern) for pattern in patterns)
