"""The way in: from a configuration to the node's parts."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from fairway.cluster.node import images, preload
from fairway.cluster.node.addresses import Addresses
from fairway.cluster.node.agent import Agent
from fairway.cluster.node.claims import Claims, Folders
from fairway.cluster.node.containers import Tools
from fairway.cluster.node.credentials import Credentials
from fairway.cluster.node.engine import finding
from fairway.cluster.node.executions import Executions
from fairway.cluster.node.gpus import Devices
from fairway.cluster.node.launching import Launcher
from fairway.cluster.node.logs import Logs
from fairway.cluster.node.machine import CONTAINER, PROCESS, MachineRuntime
from fairway.cluster.node.measuring import Measuring
from fairway.cluster.node.names import Names
from fairway.cluster.node.probes import Prober
from fairway.cluster.node.registration import Registration, gpus
from fairway.cluster.node.runtime import PodRuntime
from fairway.cluster.node.shepherd import memory
from fairway.cluster.node.volumes.following import Following
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.feature import Parts, Ready, Service
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, PERSISTENT_VOLUME_CLAIM, POD, SERVICE, SERVICE_ACCOUNT

log = logging.getLogger(__name__)

HOST_IP = "127.0.0.1"
_ENGINE_WITHIN = 0.2
"""Seconds for which the node's start waits for an engine to be found; what takes longer is told of later."""
_NOT_ENFORCED = (
    "Pods are processes of the user who runs Fairway, unless they run in a container engine: cpu limits, "
    "securityContext, dnsConfig and what is in an image have no effect then. In an engine, cpu limits, "
    "securityContext and the image have; on a real cluster all of them."
)


@dataclass(frozen=True)
class NodeConfig:
    """`restart_delay` is the first delay before a container runs again. Upstream waits ten seconds, so as not to
    pull an image in vain; starting a process costs milliseconds here, and a second is enough to stop a storm."""

    name: str
    data_dir: Path
    api_url: str
    ca_pem: str
    restart_delay: float = 1.0
    longest_restart_delay: float = 300.0
    max_pods: int = 1000
    warm: tuple[str, ...] = ()
    """Warm sets to have ready from the start."""
    engine: str = finding.NONE
    """The container engine: auto, none, or a command."""
    images: str = PROCESS
    """How an image of the catalogue runs: as a process or as a container."""
    programs: tuple[str, ...] = ()
    """Further images that are programs, each as NAME=COMMAND."""


class Node:
    """`parts` are for `up` to run, `logs` and `executions` for the API to serve, `shutdown` for the end."""

    def __init__(self, client: Client, clock: Clock, config: NodeConfig, runtime: PodRuntime | None) -> None:
        data = config.data_dir
        self._config = config
        self._guard = None if runtime else preload.library(data)
        own = images.own(config.programs)
        self._runtime = runtime or MachineRuntime(
            data, preload=self._guard, engine=config.engine, usual=config.images, own=own
        )
        self._registration = Registration(client, clock, config.name, config.max_pods)
        self._credentials = Credentials(client, clock, data / "credentials", config.api_url, config.ca_pem)
        self._accounts = Mirror(client, SERVICE_ACCOUNT, clock)
        self._services = Mirror(client, SERVICE, clock)
        self._slices = Mirror(client, ENDPOINT_SLICE, clock)
        self._names = Names(self._services, self._slices, data / "names")
        self._prober = Prober(self._runtime, clock)
        folders = Folders(data / "claims")
        pods = Mirror(client, POD, clock, fields=f"spec.nodeName={config.name}")
        self._following = Following(client, clock, pods)
        launcher = Launcher(
            client,
            self._runtime,
            self._credentials,
            Addresses(owner=str(data.absolute())),
            Devices(gpus()),
            self._services,
            self._names,
            folders,
            self._following,
            config.name,
            HOST_IP,
            config.api_url,
            self._registration.allocatable,
            self._may_pull,
        )
        tools = Tools(
            client, clock, self._runtime, launcher, self._prober, config.restart_delay, config.longest_restart_delay
        )
        self._agent = Agent(tools, pods)
        self._claims = Claims(Mirror(client, PERSISTENT_VOLUME_CLAIM, clock), folders, self._agent.uses, clock)
        self.logs = Logs(self._runtime)
        self.measures = Measuring(self._runtime, clock, config.name)
        self.executions = Executions(self._runtime)
        self.parts = Parts(services=(Service("node", self._run),))

    async def shutdown(self, stop_pods: bool) -> None:
        """Called while the parts still run. With `stop_pods` false, what runs goes on and is found again."""
        if stop_pods:
            await self._agent.stop_pods()
            if isinstance(self._runtime, MachineRuntime):
                await self._runtime.retire()
        try:
            await self._registration.leave(HOST_IP)
        except (errors.ApiError, OSError) as failure:
            log.info("the node could not say that it leaves: %s", failure)

    async def _run(self, ready: Ready) -> None:
        self._config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            await self._runtime.open(self._agent.ended)
            async with asyncio.TaskGroup() as tasks:
                self._accounts.subscribe(self._credentials.account_changed)
                tasks.create_task(self._accounts.run(), name="node-accounts")
                tasks.create_task(self._services.run(), name="node-services")
                tasks.create_task(self._slices.run(), name="node-endpoints")
                await self._services.synced()
                await self._slices.synced()
                self._names.begin()
                tasks.create_task(self._names.run(), name="node-names")
                await self._look_for_engine(tasks)
                await self._registration.ensure(HOST_IP, {**self._notes(), **self._engine_notes()})
                tasks.create_task(self._registration.heartbeat(), name="node-heartbeat")
                tasks.create_task(self._credentials.keep_fresh(), name="node-credentials")
                tasks.create_task(self._claims.run(), name="node-claim-folders")
                tasks.create_task(self._following.run(), name="node-volumes")
                tasks.create_task(self._warm_up(), name="node-warm-up")
                await self._agent.run(ready)
        finally:
            await self._prober.close()
            await self._runtime.close()

    def _may_pull(self, image: str) -> bool:
        own = images.own(self._config.programs)
        return self._config.engine != finding.NONE and (
            self._config.images == CONTAINER or not images.runs_here(image, own)
        )

    def _notes(self) -> dict[str, str]:
        return {
            "fairway.dev/port-guard": "on" if self._guard else f"off: {preload.WHY_NOT}",
            "fairway.dev/memory-limits": "on" if memory.available() else "off: no control group can be made here",
            "fairway.dev/not-enforced": _NOT_ENFORCED,
        }

    async def _look_for_engine(self, tasks: asyncio.TaskGroup) -> None:
        """What looks at the Node at its start finds the engine there; one that takes long is told of later."""
        if isinstance(self._runtime, MachineRuntime):
            looking = tasks.create_task(self._runtime.engine.engine(), name="node-engine")
            if not (await asyncio.wait({looking}, timeout=_ENGINE_WITHIN))[0]:
                tasks.create_task(self._tell_engine(), name="node-engine-found")

    async def _tell_engine(self) -> None:
        assert isinstance(self._runtime, MachineRuntime)
        await self._runtime.engine.engine()
        await self._registration.note(self._engine_notes())

    def _engine_notes(self) -> dict[str, str]:
        return self._runtime.notes() if isinstance(self._runtime, MachineRuntime) else {}

    async def _warm_up(self) -> None:
        if isinstance(self._runtime, MachineRuntime):
            for name in self._config.warm:
                await self._runtime.prepare(name)


def build(client: Client, clock: Clock, config: NodeConfig, runtime: PodRuntime | None = None) -> Node:
    return Node(client, clock, config, runtime)
