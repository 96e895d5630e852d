"""The image catalogue: which image names this machine can run without pulling anything, and as what.

An image that is in no line here is refused by name. Order matters: the first line that matches wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from fairway.cluster.node.runtime import CannotStart


@dataclass(frozen=True)
class Image:
    """`python`: it has Fairway's interpreter in front of PATH. `command` is Docker's CMD: it runs where the pod gives
    neither command nor args. None of these images has an entrypoint that would stay in front of args."""

    python: bool = False
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


_PYTHON = Image(python=True, command=("python3",))
# A shell image has the interpreter too: whatever a pipeline's step runs, it is `inpod` that runs it.
_SHELL = Image(python=True, command=("sh",))
_BASH = Image(python=True, command=("bash",))
_NOTHING = Image(command=("sleep", "infinity"))

CATALOGUE: tuple[tuple[str, Image], ...] = (
    ("pause", _NOTHING),
    ("*/pause", _NOTHING),
    ("fairway/*", _PYTHON),
    ("ghcr.io/fairway/*", _PYTHON),
    ("python", _PYTHON),
    ("*/python", _PYTHON),
    ("*/python-3[0-9]*", _PYTHON),  # Red Hat's: ubi9/python-311
    ("kserve/*", _PYTHON),
    ("jupyter/*", _PYTHON),
    ("*/jupyter/*", _PYTHON),
    ("*/kubeflow/notebook-servers/*", _PYTHON),
    ("*/ml-pipeline/*", _PYTHON),
    ("busybox", _SHELL),
    ("*/busybox", _SHELL),
    ("alpine", _SHELL),
    ("*/alpine", _SHELL),
    ("bash", _BASH),
    ("debian", _BASH),
    ("ubuntu", _BASH),
    ("*/bash", _BASH),
    ("*/debian", _BASH),
    ("*/ubuntu", _BASH),
)


def find(image: str) -> Image:
    """Raises CannotStart for an image that is not in the catalogue."""
    name = repository(image)
    for pattern, entry in CATALOGUE:
        if fnmatchcase(name, pattern):
            return entry
    known = ", ".join(pattern for pattern, _ in CATALOGUE if not pattern.startswith("*/"))
    raise CannotStart(
        "ImageNotInCatalogue",
        f'image "{image}" cannot be run as a process on this machine. Use one of these images: {known} '
        "(any tag, also from another registry), or connect a Kubernetes cluster with "
        "`fairway up --kubeconfig FILE`, which runs any image.",
    )


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
