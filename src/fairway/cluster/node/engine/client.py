"""An engine as a program that is called: its command, what must be added to each call here, and its answers.

Only what podman, docker and nerdctl spell alike is used, but for the places that say so.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

LABEL = "dev.fairway.node"
"""Which node a container belongs to."""

_PASSED = (
    # Whose engine it is and where; how registries are reached, and by whom.
    "PATH", "HOME", "USER", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS", "TMPDIR",
    "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY",
    "CONTAINER_HOST", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF", "REGISTRY_AUTH_FILE",
    "CONTAINERD_ADDRESS", "CONTAINERD_NAMESPACE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
_LONGEST = 1500
_MOST = 4 << 20
_QUICK = 60.0
"""Seconds for what pulls nothing; an engine on a busy machine may take some."""


class EngineFailed(Exception):
    """The engine could not do what it was asked. The text is its own last words."""


@dataclass(frozen=True)
class Answer:
    code: int
    output: bytes
    said: str


@dataclass(frozen=True)
class Engine:
    """`command` is what stands before each verb, `options` are those of each container. `limits`: memory and processor
    limits are kept here."""

    name: str
    version: str
    command: tuple[str, ...]
    options: tuple[str, ...] = ()
    limits: bool = True

    @property
    def told(self) -> str:
        return f"{self.version}{'' if self.limits else ', without memory and cpu limits'}"

    @property
    def own_images(self) -> bool:
        """Whether it knows of an image that it was made here: podman calls those localhost/..."""
        return self.name == "podman"

    async def call(self, *arguments: str, timeout: float = _QUICK, env: Mapping[str, str] | None = None) -> str:
        """Raises EngineFailed."""
        answer = await run([*self.command, *arguments], timeout=timeout, env=env)
        if answer.code:
            raise EngineFailed(answer.said or f"{self.name} {arguments[0]} ended with exit status {answer.code}")
        return answer.output.decode(errors="replace").strip()

    async def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """What the engine knows of an image or a container; None where there is none."""
        answer = await run([*self.command, kind, "inspect", name], timeout=_QUICK)
        if answer.code:
            return None
        found: list[dict[str, Any]] = json.loads(answer.output)
        return found[0] if found else None

    async def remove(self, name: str) -> None:
        """Whatever it does. No effect where it is not there."""
        await run([*self.command, "rm", "--force", "--volumes", name], timeout=_QUICK)

    async def names(self, node: str) -> list[str]:
        """Of all containers of a node."""
        said = await self.call("ps", "--all", "--filter", f"label={LABEL}={node}", "--format", "{{.Names}}")
        return said.split()


async def run(command: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None) -> Answer:
    """Its exit status, the begin of its standard output, and last words on standard error. Raises EngineFailed where it
    takes too long or is not there."""
    # Files and not pipes: what an engine leaves running may hold on to them for long after it has ended.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as said:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env={**environment(os.environ), **(env or {})},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=said,
                start_new_session=True,
            )
        except OSError as problem:
            raise EngineFailed(f"{command[0]} cannot be run: {problem.strerror}") from problem
        try:
            async with asyncio.timeout(timeout):
                await process.wait()
        except TimeoutError:
            raise EngineFailed(f"{command[0]} did not answer within {timeout:g} s") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        whole, words = (_read(file) for file in (output, said))
    return Answer(process.returncode or 0, whole, last_words(words.decode(errors="replace")))


def _read(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read(_MOST)


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """What an engine sees of the server's own variables."""
    return {"LANG": "C.UTF-8", **{name: own[name] for name in _PASSED if name in own}}


def last_words(said: str) -> str:
    """The last line that says something, without the program's own mark before it.

    >>> last_words("Trying to pull x...\\nError: no such host\\n")
    'no such host'
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if not lines:
        return ""
    for mark in ("Error: ", "Error response from daemon: ", "docker: ", "FATA[0000] "):
        lines[-1] = lines[-1].removeprefix(mark)
    return lines[-1][-_LONGEST:]
