"""Images for tests, made of what is on this machine: no registry is asked.

`local()` finds the container engine that works here, or the one that FAIRWAY_CONTAINER_ENGINE names, and has two images
ready in it: one of busybox alone, and one of this machine's Python. A test is skipped, with the reason, where no engine
works or there is nothing to make them of.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from fairway.cluster.node.engine.client import Engine
from fairway.cluster.node.engine.finding import AUTO, Finder

_APPLETS = ("sh", "cat", "cp", "dd", "echo", "env", "head", "httpd", "id", "kill", "ls", "mkdir", "nc", "rm", "sleep",
            "tail", "test", "touch", "tr", "true", "wget", "wc", "yes")  # fmt: skip
_LEFT_OUT = {
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "__pycache__",
    "site-packages",
    "dist-packages",
    "lib2to3",
}


@dataclass(frozen=True)
class Local:
    engine: Engine
    busybox: str
    python: str

    @property
    def setting(self) -> str:
        """What finds this engine again, sooner than a search does."""
        return shlex.join(self.engine.command)


def local() -> Local:
    """Skips the test where there is none."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_local(Path(folder)))


async def _local(folder: Path) -> Local:
    finder = Finder(folder, os.environ.get("FAIRWAY_CONTAINER_ENGINE", AUTO))
    engine = await finder.engine()
    if engine is None:
        pytest.skip(f"no container engine works here: {finder.why_not}")
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("no busybox to make an image of")
    root = folder / "busybox"
    _add_program(root, Path(busybox), "bin/busybox")
    for applet in _APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    small = await _imported(engine, root, "busybox")
    root = folder / "python"
    _add_python(root)
    _add_program(root, Path(busybox), "bin/busybox")
    for applet in _APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    return Local(engine, small, await _imported(engine, root, "python"))


def _add_python(root: Path) -> None:
    """The interpreter and its standard library, where they are on this machine."""
    program = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]  # of a virtual environment, what is below
    _add_program(root, program, str(program).lstrip("/"))
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(
        library, root / str(library).lstrip("/"), symlinks=True, ignore=lambda _, names: _LEFT_OUT & set(names)
    )
    for extension in (library / "lib-dynload").glob("*.so"):
        _add_libraries(root, extension)
    (root / "usr" / "bin").mkdir(parents=True, exist_ok=True)
    link = root / "usr" / "bin" / "python3"
    if not link.exists():
        link.symlink_to(program)


def _add_program(root: Path, program: Path, target: str) -> None:
    place = root / target
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, place)
    _add_libraries(root, program)


def _add_libraries(root: Path, program: Path) -> None:
    """What it is linked with. Nothing for a static program."""
    said = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    for line in said.splitlines():
        path = next((word for word in line.split() if word.startswith("/")), "")
        place = root / path.lstrip("/")
        if path and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)


async def _imported(engine: Engine, root: Path, name: str) -> str:
    for folder in ("tmp", "etc", "proc", "dev", "sys"):
        (root / folder).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    contents = sorted(f"{path.relative_to(root)} {path.lstat().st_size}" for path in root.rglob("*"))
    image = f"localhost/fairway-test-{name}:{hashlib.sha256(repr(contents).encode()).hexdigest()[:12]}"
    if await engine.inspect("image", image) is None:
        archive = root.with_suffix(".tar")
        with tarfile.open(archive, "w") as file:
            file.add(root, ".")
        change = "ENV PATH=/usr/local/bin:/usr/bin:/bin"
        await engine.call("import", "--change", change, "--change", 'CMD ["sh"]', str(archive), image)
    return image
