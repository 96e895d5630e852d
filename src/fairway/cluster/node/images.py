"""The image catalogue: which image names this machine can run without pulling anything, and as what.

An image that is in no line here is refused by name. Order matters: the first line that matches wins.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from fairway.cluster.node.runtime import CannotStart
from fairway.kernel.objects.images import fits

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """`python`: it has Fairway's interpreter in front of PATH. `command` is Docker's CMD: it runs where the pod gives
    neither command nor args. `entrypoint` stays in front of args. `programs` are what the image is for: it can be run
    here if this machine has them. `ash`: its sh is busybox's, which knows more than POSIX asks for."""

    python: bool = False
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    ash: bool = False
    finds: tuple[str, ...] = ()
    """Folders inside the package `fairway` that its interpreter finds modules in, after its own."""


_ELSEWHERE = "or connect a Kubernetes cluster with `fairway up --kubeconfig FILE`, which runs any image."


def _of(*programs: str, entrypoint: bool = False, ash: bool = False) -> Image:
    """An image around programs, with a shell beside them."""
    if entrypoint:
        return Image(python=True, entrypoint=programs[:1], programs=programs, ash=ash)
    return Image(python=True, command=("sh",), programs=programs, ash=ash)


_PYTHON = Image(python=True, command=("python3",), finds=("serving/inpod/programs/site",))  # `import kserve`
# A shell image has the interpreter too: whatever a pipeline's step runs, it is `inpod` that runs it.
_SHELL = Image(python=True, command=("sh",), ash=True)
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
    ("google/cloud-sdk", _of("gsutil")),
    ("*/google-cloud-cli", _of("gsutil")),
    ("*/cloud-sdk", _of("gsutil")),
    ("amazon/aws-cli", _of("aws", entrypoint=True)),
    ("curlimages/curl", _of("curl", entrypoint=True, ash=True)),
    ("*/alpine-curl", _of("curl", entrypoint=True, ash=True)),
    ("alpine/git", _of("git", entrypoint=True, ash=True)),
    ("*/kubectl", _of("kubectl", entrypoint=True)),
    ("*/jq", _of("jq", entrypoint=True)),
    ("node", _of("node")),
    ("perl", _of("perl")),
    ("ruby", _of("ruby")),
    ("r-base", _of("Rscript")),
)


OURS = ("fairway/*", "ghcr.io/fairway/*")
"""The platform's own, which are always processes."""


Own = tuple[tuple[str, Image], ...]
"""Lines that whoever runs the platform put before those of the catalogue."""


def own(given: Iterable[str]) -> Own:
    """From NAME=COMMAND, as in me/tool=python3 /srv/tool.py. Raises ValueError with a sentence."""
    found = []
    for line in given:
        name, _, command = line.partition("=")
        words = tuple(shlex.split(command))
        if not name or not words:
            raise ValueError(f"{line!r} is no image and its program: write NAME=COMMAND, as in me/tool=true")
        found.append((name, replace(_PYTHON, command=(), entrypoint=words)))
    return tuple(found)


def find(image: str, no_engine: str = "", own: Own = ()) -> Image:
    """Raises CannotStart for an image that is not in the catalogue, or whose programs this machine does not have.
    `no_engine` is why no container engine runs it instead."""
    entry = _entry(image, own)
    if entry is not None:
        _check_programs(image, entry)
        return entry
    known = ", ".join(pattern for pattern, entry in CATALOGUE if not pattern.startswith("*/") and not entry.programs)
    raise CannotStart(
        "ImageNotInCatalogue",
        f'image "{image}" cannot be run as a process on this machine. Use one of these images: {known} '
        f"(any tag, also from another registry), install podman or docker, which then runs it{_why(no_engine)}, "
        f"{_ELSEWHERE}",
    )


def runs_here(image: str, own: Own = ()) -> bool:
    """Whether `find` has something."""
    entry = _entry(image, own)
    return entry is not None and not _missing(entry)


def ours(image: str) -> bool:
    return fits(image, OURS)


def patterns(own: Own = ()) -> tuple[str, ...]:
    """What this machine runs as processes: the names, as in the catalogue."""
    return tuple(pattern for pattern, entry in (*own, *CATALOGUE) if not _missing(entry))


def _entry(image: str, own: Own) -> Image | None:
    return next((entry for pattern, entry in (*own, *CATALOGUE) if fits(image, (pattern,))), None)


def _why(no_engine: str) -> str:
    return f" (today: {no_engine})" if no_engine else ""


def _check_programs(image: str, entry: Image) -> None:
    if missing := _missing(entry):
        raise CannotStart(
            "ProgramNotInstalled",
            f'image "{image}" is run here with this machine\'s own {" and ".join(missing)}, and there is none: install '
            f"{'it' if len(missing) == 1 else 'them'}, {_ELSEWHERE}",
        )


def _missing(entry: Image) -> list[str]:
    return [program for program in entry.programs if not shutil.which(program, path=SYSTEM_PATH)]


def shells(folder: Path) -> Path | None:
    """A folder with a `sh` that knows what busybox's does, such as [[; None where this machine has no such shell.

    The machine's own sh may know POSIX only.
    """
    shell = shutil.which("busybox", path=SYSTEM_PATH) or shutil.which("bash", path=SYSTEM_PATH)
    if shell is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "sh"
    if not link.is_symlink() or link.readlink() != Path(shell):
        link.unlink(missing_ok=True)
        link.symlink_to(shell)
    return folder
