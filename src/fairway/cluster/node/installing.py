"""Making a virtual environment and installing packages into it: with uv where it is there, with pip otherwise.

uv does not read pip's settings. Who has set up pip (an index of the company, a proxy's certificate) has set up
Fairway with it, so they are translated.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import os
import shutil
import site
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fairway.cluster.node import requirements
from fairway.cluster.node.runtime import CannotStart

INSTALL_VARIABLES = (
    # Where packages come from, and how to reach it; the only variables of the server's own that pods see.
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CERT", "PIP_CONFIG_FILE", "PIP_NO_INDEX",
    "PIP_FIND_LINKS", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY",
    "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
_PASSED = (*INSTALL_VARIABLES, "HOME", "TMPDIR")

_IN_UV: Mapping[str, str] = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
"""pip's settings as variables of uv; the lists among them are in `_SEPARATED`."""
_SEPARATED = {"UV_INDEX": " ", "UV_FIND_LINKS": ",", "UV_INSECURE_HOST": " "}
_SECTIONS = ("global", "install", ":env:")
"""Of pip's settings, the weakest first."""
_LONGEST = 1500


async def create(folder: Path, below: Sequence[str] = ()) -> None:
    """An empty environment that sees what is in the folders `below`; Fairway's own packages where none are named."""
    await asyncio.to_thread(venv.EnvBuilder(symlinks=True).create, folder)
    # `--system-site-packages` would show the system's packages where Fairway itself lives in an environment.
    lines = "".join(f"import site; site.addsitedir({path!r})\n" for path in below or site.getsitepackages())
    Path(packages_of(folder), "fairway-below.pth").write_text(lines)


async def install(python: str, wanted: Sequence[str], held: int) -> None:
    """Raises CannotStart with the installer's own last words.

    The descriptor `held` stays open in the installer: a lock on it outlives a server that is killed in the middle.
    """
    program, variables = await _installer(python)
    env = {**environment(os.environ), **variables, **_chosen(wanted)}
    await _run([*program, *requirements.packages(wanted)], env, f"install {requirements.told(wanted)}", (held,))


async def add_pip(folder: Path, python: str) -> None:
    """`pip` as a program of the environment's own. Where Fairway's environment has none, Python's bundled one."""
    if importlib.util.find_spec("pip") is None:
        await _run([python, "-m", "ensurepip", "--default-pip"], environment(os.environ), "install pip")
        return
    for name in ("pip", "pip3"):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{python}" -m pip "$@"\n')
        script.chmod(0o700)


def packages_of(folder: Path) -> str:
    return sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """What an installer sees of the server's own variables."""
    passed = {name: value for name, value in own.items() if name in _PASSED or name.startswith(("PIP_", "UV_"))}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **passed}


async def _installer(python: str) -> tuple[list[str], dict[str, str]]:
    """The command in front of the packages, and variables for it."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", python], await _settings_for_uv()
    return [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"], {}


async def _settings_for_uv() -> dict[str, str]:
    settings = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # as pip does: the best version of all indexes
    if importlib.util.find_spec("pip") is not None:
        for name, value in translated(await _pip_settings()).items():
            if name not in os.environ:
                settings[name] = value
    return settings


async def _pip_settings() -> str:
    try:
        return await _run([sys.executable, "-m", "pip", "config", "list"], environment(os.environ), "ask pip")
    except CannotStart:
        return ""  # a broken configuration: whatever then is missing, the installation says so


def translated(listing: str) -> dict[str, str]:
    """What `pip config list` prints, as variables of uv.

    >>> translated("global.index-url='http://a/simple'\\n:env:.index-url='http://b/simple'")
    {'UV_DEFAULT_INDEX': 'http://b/simple'}
    """
    found: dict[str, str] = {}
    for section in _SECTIONS:
        for line in listing.splitlines():
            key, _, value = line.partition("=")
            name = _IN_UV.get(key.removeprefix(f"{section}.")) if key.startswith(f"{section}.") else None
            if name:
                with suppress(ValueError, SyntaxError):
                    found[name] = _SEPARATED.get(name, " ").join(str(ast.literal_eval(value)).split())
    return found


def _chosen(wanted: Sequence[str]) -> dict[str, str]:
    """The pod's own options, for both installers, and not as arguments: an address may hold a password."""
    found: dict[str, str] = {}
    for option in requirements.OPTIONS:
        values = requirements.options(wanted, option)
        if not values:
            continue
        name = option.removeprefix("--")
        if name == "pre":
            found |= {"PIP_PRE": "1", "UV_PRERELEASE": "allow"}
            continue
        in_uv = _IN_UV[name]
        found[f"PIP_{name.upper().replace('-', '_')}"] = " ".join(values)
        found[in_uv] = _SEPARATED.get(in_uv, " ").join(values)
    return found


async def _run(command: Sequence[str], env: Mapping[str, str], what: str, held: Sequence[int] = ()) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        pass_fds=held,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    text = said.decode(errors="replace").strip()
    if process.returncode:
        raise CannotStart("EnvironmentFailed", f"cannot {what}: {text[-_LONGEST:]}")
    return text
