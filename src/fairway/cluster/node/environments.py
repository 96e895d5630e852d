"""Environments by content address: one virtual environment for each set of requirements, built once.

Nothing is built where Fairway's own environment satisfies the requirements, which is then used as it is: that is
what makes steps start in milliseconds, and work offline. A built one sees the packages of Fairway's own under
its own.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib.metadata
import json
import os
import shutil
import site
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from fairway.cluster.node.runtime import CannotStart

ANNOTATION = "fairway.dev/requirements"

INSTALL_VARIABLES = (
    # Where packages come from, and how to reach it; the only variables of the server's own that installs see.
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CERT", "PIP_CONFIG_FILE", "PIP_NO_INDEX",
    "PIP_FIND_LINKS", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY",
    "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip


@dataclass(frozen=True)
class Environment:
    """`digest` is empty for Fairway's own."""

    digest: str
    python: str

    @property
    def bin(self) -> str:
        return str(Path(self.python).parent)


OWN = Environment("", sys.executable)


class Environments:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._building: dict[str, asyncio.Task[Environment]] = {}
        self._known: dict[tuple[str, ...], Environment] = {}

    async def provide(self, requirements: tuple[str, ...]) -> Environment:
        """The environment that has them. Raises CannotStart with the installer's own words."""
        if not requirements:
            return OWN
        known = self._known.get(requirements)
        if known is None:
            known = OWN if satisfied(requirements) else await self._build(requirements)
            self._known[requirements] = known
        return known

    async def close(self) -> None:
        for task in self._building.values():
            task.cancel()
        await asyncio.gather(*self._building.values(), return_exceptions=True)

    async def _build(self, requirements: tuple[str, ...]) -> Environment:
        """Several pods that want the same one wait for one build."""
        digest = address(requirements)
        task = self._building.get(digest)
        if task is None:
            task = asyncio.create_task(_install(self._folder / digest, requirements), name=f"environment-{digest}")
            self._building[digest] = task
            task.add_done_callback(lambda _: self._building.pop(digest, None))
        return await asyncio.shield(task)


def installs(command: Sequence[str]) -> bool:
    """Whether a command installs packages by itself, as far as one can read."""
    return any("pip install" in text or text == "pip" or "uv pip" in text for text in command)


async def scratch(folder: Path) -> Environment:
    """An environment of one pod's own, for a command that installs packages: Fairway's stays as it is."""
    environment = Environment(folder.name, str(folder / "bin" / "python3"))
    if not (folder / "complete").exists():
        await _create(folder, environment.python)
        for name in ("pip", "pip3"):
            script = folder / "bin" / name
            script.write_text(f'#!/bin/sh\nexec "{environment.python}" -m pip "$@"\n')
            script.chmod(0o700)
        (folder / "complete").touch()
    return environment


def parse(annotation: str) -> tuple[str, ...]:
    """The value of the annotation: a JSON list of requirements. Raises CannotStart."""
    try:
        listed = json.loads(annotation or "[]")
        if not isinstance(listed, list):
            raise ValueError("it is not a list")
        return tuple(sorted(str(item) for item in listed))
    except ValueError as problem:
        raise CannotStart(
            "InvalidRequirements",
            f'annotation {ANNOTATION} must be a JSON list such as ["pandas==2.2.0"]: {problem}',
        ) from problem


def satisfied(requirements: Sequence[str]) -> bool:
    """Whether Fairway's own environment has them all. A URL, a path or an option is never taken for satisfied."""
    return all(_has(text, frozenset()) for text in requirements)


def address(requirements: Sequence[str]) -> str:
    """The name of an environment: the same for the same requirements on the same interpreter."""
    content = json.dumps([sorted(requirements), sys.version, sys.prefix])
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def _has(text: str, seen: frozenset[str]) -> bool:
    try:
        wanted = Requirement(text)
    except InvalidRequirement:
        return False
    if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
        return True
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


async def _install(folder: Path, requirements: Sequence[str]) -> Environment:
    folder.parent.mkdir(parents=True, exist_ok=True)
    environment = Environment(folder.name, str(folder / "bin" / "python3"))
    lock = os.open(folder.parent / f"{folder.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Another server may build the same one; it is only whole once `complete` is there.
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if (folder / "complete").exists():
            return environment
        shutil.rmtree(folder, ignore_errors=True)
        await _create(folder, environment.python)
        await _run([*_installer(environment.python), *requirements], f"install {' '.join(requirements)}")
        (folder / "complete").touch()
    finally:
        os.close(lock)
    return environment


async def _create(folder: Path, python: str) -> None:
    await _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], "make a virtual environment")
    packages = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    # `--system-site-packages` would show the system's packages where Fairway itself lives in an environment.
    below = "".join(f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages())
    Path(packages, "fairway-below.pth").write_text(below)


def _installer(python: str) -> list[str]:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", python]
    return [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]


async def _run(command: Sequence[str], what: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=install_environment(os.environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        text = said.decode(errors="replace").strip()[-1500:]
        raise CannotStart("EnvironmentFailed", f"cannot {what}: {text}")


def install_environment(own: Mapping[str, str]) -> dict[str, str]:
    passed = {name: own[name] for name in (*INSTALL_VARIABLES, "HOME", "TMPDIR", "UV_CACHE_DIR") if name in own}
    if "PIP_INDEX_URL" in passed:
        passed.setdefault("UV_DEFAULT_INDEX", passed["PIP_INDEX_URL"])
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **passed}
