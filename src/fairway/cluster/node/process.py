"""Containers as host processes: the usual way to run one.

    spec -> image catalogue, environment, base variables -> a shepherd (warm where it can be) -> fork

No images are pulled, and nothing is isolated but the session, the environment and, where there are volumes, the file
system view. What is on disk of a container, and how its end is told, is `attended`'s.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fairway.cluster.node import images, requirements, warm
from fairway.cluster.node.attended import TEMPORARY, Attended
from fairway.cluster.node.environments import OWN, Environment, Environments, installs, scratch
from fairway.cluster.node.installing import INSTALL_VARIABLES
from fairway.cluster.node.rewriting import NOTE, rewritten
from fairway.cluster.node.runtime import (
    POD_IP,
    CannotStart,
    ContainerId,
    ContainerSpec,
    ContainerState,
    ExecResult,
    Waiting,
)
from fairway.cluster.node.shepherds import Link, Message, Refused, ShepherdGone, source_root
from fairway.cluster.node.talking import Talk

_PASSED = ("TZ", *INSTALL_VARIABLES)
"""What a container sees of the server's own variables: the time zone, and what a `pip install` needs. No others:
they may hold secrets, and a pod must not depend on the shell that the server was started from."""
_HOME = "home"
_BUILDING = "BuildingEnvironment"


class Processes:
    handler = "process"

    def __init__(self, folder: Path, attended: Attended, preload: Path | None, own: images.Own = ()) -> None:
        self._attended, self._own_images = attended, own
        self._environments = Environments(folder / "environments")
        self._shells = images.shells(folder / "shells")
        self._preload = preload
        self._own = {name: os.environ[name] for name in _PASSED if name in os.environ}

    async def awaits(self, spec: ContainerSpec) -> Waiting | None:
        wanted = spec.requirements if images.find(spec.image, own=self._own_images).python else ()
        if not self._environments.missing(wanted):
            return None
        return _BUILDING, f"building an environment with {requirements.told(wanted)}"

    async def start(self, spec: ContainerSpec) -> ContainerState:
        image = images.find(spec.image, own=self._own_images)
        environment = await self._environments.provide(spec.requirements) if image.python else OWN
        command = (*spec.command, *spec.args) if spec.command else (*image.entrypoint, *(spec.args or image.command))
        alone = image.python and (spec.installs or installs(command))
        if alone:
            place = self._attended.folder(spec.id.pod) / f"packages-{spec.id.name}"
            environment = await scratch(place, environment)
        env = self._variables(spec, image, environment)
        request = self._request(spec, command, env)
        form = warm.module_of(command) if image.python and spec.warm in warm.SETS else None
        chosen = ""
        if form and not alone and warm.can_take(spec.env):
            chosen, request["module"], request["args"] = spec.warm, form[0], list(form[1])
            request["call"] = warm.SETS[chosen].calls.get(form[0], "")
        to = self._shepherd(environment if chosen else OWN, chosen)
        note = NOTE if set(spec.mounts) - set(spec.own) else ""  # what the platform adds is not the user's to care for
        return await self._attended.begin(spec.id, request, to, lambda request: (rewritten(request), note))

    async def prepare(self, warm_set: str) -> None:
        """Have a warm interpreter ready before the first pod asks for it."""
        await self._shepherd(OWN, warm_set)()

    async def signal(self, container: ContainerId, number: int) -> None:
        if link := self._attended.link_of(container):
            with suppress(ShepherdGone):
                await link.ask({"op": "signal", "id": str(container), "signal": number})

    async def exec(self, container: ContainerId, command: Sequence[str], timeout: float) -> ExecResult:
        link = self._attended.link_of(container)
        if link is None or str(container) not in link.running:
            raise CannotStart("NotRunning", f"container {container.name} is not running")
        try:
            answer = await link.ask(
                {"op": "exec", "id": str(container), "argv": list(command), "timeout": timeout},
            )
        except Refused as refusal:
            if str(refusal) == "timeout":
                raise TimeoutError(f"command {command[0]} timed out after {timeout:g} s") from refusal
            raise CannotStart("ExecFailed", str(refusal)) from refusal
        except ShepherdGone as gone:
            raise CannotStart("NotRunning", f"container {container.name} is not running") from gone
        return ExecResult(answer["code"], answer["output"].encode())

    async def talk(self, container: ContainerId, command: Sequence[str], *, terminal: bool) -> Talk:
        return await self._attended.talk(container, command, terminal=terminal)

    async def attach(self, container: ContainerId) -> Talk:
        return await self._attended.attach(container)

    async def close(self) -> None:
        await self._environments.close()

    # What a container is given

    def _variables(self, spec: ContainerSpec, image: images.Image, environment: Environment) -> dict[str, str]:
        folder = f"{self._attended.pods_folder}/{spec.id.pod}"
        path = [str(environment.bin)] if image.python else []
        if image.ash and self._shells:
            path.append(str(self._shells))
        base = {
            "PATH": ":".join((*path, images.SYSTEM_PATH)),
            "HOME": f"{folder}/{_HOME}",
            "TMPDIR": f"{folder}/{TEMPORARY}",
            "LANG": "C.UTF-8",
            # gRPC's own resolver would ask a name server; what knows the cluster's names is the C library here.
            "GRPC_DNS_RESOLVER": "native",
            **self._own,
        }
        if image.python:
            base["PYTHONUNBUFFERED"] = "1"
            finds = [f"{source_root()}/fairway/{folder}" for folder in image.finds]
            if "site-packages" not in source_root():
                finds.insert(0, source_root())  # a development checkout that is not installed
            if finds:
                base["PYTHONPATH"] = ":".join(finds)
        if self._preload:
            base["LD_PRELOAD"] = str(self._preload)
        return {**base, **image.env, **spec.env}

    def _request(self, spec: ContainerSpec, command: Sequence[str], env: Mapping[str, str]) -> Message:
        if not command:
            raise CannotStart("StartError", f'image "{spec.image}" has no command of its own: set spec.command')
        pod = f"{self._attended.pods_folder}/{spec.id.pod}"
        return {
            "op": "start",
            "id": str(spec.id),
            "folder": self._attended.container_folder(spec.id),
            "make": [f"{pod}/{name}" for name in (_HOME, TEMPORARY)],
            "address": spec.env.get(POD_IP, ""),
            "argv": list(command),
            "env": dict(env),
            "cwd": spec.working_dir or env["HOME"],
            "memory": spec.memory_bytes,
            "no_new_privileges": spec.security.no_new_privileges,
            "input": spec.input,
            "once": spec.input_once,
            "terminal": spec.terminal,
            "mounts": [[mount.source, mount.target, mount.read_only] for mount in spec.mounts],
        }

    # Shepherds

    def _shepherd(self, environment: Environment, warm_set: str) -> Callable[[], Awaitable[Link]]:
        async def link() -> Link:
            place = environment.digest or "own"
            nearest = self._nearest_warm(place, warm_set)
            chosen = warm.SETS[nearest] if nearest else None
            name = f"{place}-{nearest or 'plain'}"
            path = f"{environment.bin}:{images.SYSTEM_PATH}"
            env = {"PATH": path, "LANG": "C.UTF-8", **(chosen.env if chosen else {})}
            if self._preload:
                env["LD_PRELOAD"] = str(self._preload)
            return await self._attended.flock.link(name, environment.python, chosen.imports if chosen else (), env)

        return link

    def _nearest_warm(self, place: str, warm_set: str) -> str:
        """The set itself, or the larger one that runs already."""
        larger = warm.SETS[warm_set].stand_in if warm_set else ""
        ready = self._attended.flock.is_ready
        if larger and ready(f"{place}-{larger}") and not ready(f"{place}-{warm_set}"):
            return larger
        return warm_set
