"""Images of an engine: what is here, what is pulled and when, as imagePullPolicy says.

An image that was made on this machine is never looked for in a registry: there is none that has it. The words for what
goes wrong are the kubelet's.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairway.cluster.node.engine.client import Engine, EngineFailed
from fairway.cluster.node.runtime import CannotStart, ContainerSpec

ALWAYS, NEVER = "Always", "Never"
_PULLED_WITHIN = 3600.0
_OURS = "localhost/"


@dataclass(frozen=True)
class Image:
    id: str
    user: str
    has_command: bool


class Images:
    def __init__(self) -> None:
        self._pulling: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def pulls(self, engine: Engine, spec: ContainerSpec) -> bool:
        """Whether `provide` would pull."""
        found = await engine.inspect("image", spec.image)
        return _is_pulled(engine, spec, found)

    async def provide(self, engine: Engine, spec: ContainerSpec) -> Image:
        """The image, pulled where that is needed and allowed. Raises CannotStart."""
        found = await engine.inspect("image", spec.image)
        if _is_pulled(engine, spec, found):
            await self._pull(engine, spec)
            found = await engine.inspect("image", spec.image)
        if found is None:
            text = f'Container image "{spec.image}" is not present with pull policy of Never'
            if spec.pull != NEVER:
                text = f'failed to pull image "{spec.image}": it is not there after it was pulled'
            raise CannotStart("ErrImageNeverPull" if spec.pull == NEVER else "ErrImagePull", text)
        config = found.get("Config") or {}
        command = config.get("Entrypoint") or config.get("Cmd")
        return Image(found["Id"], config.get("User") or found.get("User") or "", bool(command))

    async def close(self) -> None:
        for task in self._pulling.values():
            task.cancel()
        await asyncio.gather(*self._pulling.values(), return_exceptions=True)

    async def _pull(self, engine: Engine, spec: ContainerSpec) -> None:
        """Several containers that want the same one, with the same logins, wait for one pull."""
        key = (spec.image, spec.logins)
        task = self._pulling.get(key)
        if task is None:
            task = self._pulling[key] = asyncio.create_task(_pull(engine, *key), name=f"pull-{spec.image}")
            task.add_done_callback(lambda _: self._pulling.pop(key, None))
        await asyncio.shield(task)


def _is_pulled(engine: Engine, spec: ContainerSpec, found: dict[str, Any] | None) -> bool:
    if spec.pull == NEVER:
        return False
    if found is None:
        return True
    return spec.pull == ALWAYS and not (engine.own_images and _is_own(found))


def _is_own(found: dict[str, Any]) -> bool:
    names = found.get("RepoTags") or ()
    return bool(names) and all(name.startswith(_OURS) for name in names)


async def _pull(engine: Engine, image: str, logins: str) -> None:
    """With the pod's logins first, and then with those of this machine."""
    if logins:
        with suppress(EngineFailed), tempfile.TemporaryDirectory(prefix="fairway-login-") as folder:
            file = Path(folder, "config.json")
            file.touch(mode=0o600)
            file.write_text(logins)
            flags = ["--authfile", str(file)] if engine.name == "podman" else []
            env = {} if flags else {"DOCKER_CONFIG": folder}
            await engine.call("pull", "--quiet", *flags, image, timeout=_PULLED_WITHIN, env=env)
            return
    try:
        await engine.call("pull", "--quiet", image, timeout=_PULLED_WITHIN)
    except EngineFailed as failed:
        raise CannotStart("ErrImagePull", f'failed to pull image "{image}" with {engine.name}: {failed}') from failed
