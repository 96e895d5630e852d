"""The model servers that are built in: which formats they load, and how their container is started. Data."""

from __future__ import annotations

from dataclasses import dataclass

PORT = 8080


@dataclass(frozen=True)
class Runtime:
    """`warm` names the set of imports from which the node forks the server (a cluster ignores it)."""

    name: str
    formats: dict[str, tuple[str, ...]]
    """Format name to the versions that are understood; none given is always understood."""
    image: str
    command: tuple[str, ...]
    warm: str


SKLEARN = Runtime(
    name="kserve-sklearnserver",
    formats={"sklearn": ("0", "1")},
    image="kserve/sklearnserver:latest",
    command=("python3", "-m", "fairway.serving.inpod"),
    warm="sklearn-server",
)

BUILT_IN: tuple[Runtime, ...] = (SKLEARN,)

FORMATS = tuple(name for runtime in BUILT_IN for name in runtime.formats)


def named(name: str) -> Runtime | None:
    return next((runtime for runtime in BUILT_IN if runtime.name == name), None)


def for_format(name: str) -> Runtime | None:
    return next((runtime for runtime in BUILT_IN if name in runtime.formats), None)
