"""The Node object: what this machine has, and a Lease that says that its agent is alive."""

from __future__ import annotations

import logging
import os
import platform
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

import fairway
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock, timestamp, timestamp_micro
from fairway.kernel.objects import conditions, errors
from fairway.kernel.objects.kinds import LEASE, NODE, Object

log = logging.getLogger(__name__)

HEARTBEAT = 20.0
"""Seconds between two renewals of the lease: one small write, whatever the number of pods."""
_AGAIN = 1.0
"""Seconds until what could not be told of the node is tried again."""
_LEASES = "kube-node-lease"
_RESERVED_MEMORY = 512 * 1024 * 1024
"""For Fairway itself and the machine's owner; the scheduler does not give it away."""


def capacity(max_pods: int) -> dict[str, str]:
    result = {
        "cpu": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 1024}Ki",
        "ephemeral-storage": f"{shutil.disk_usage('/').total // 1024}Ki",
        "pods": str(max_pods),
    }
    if devices := gpus():
        result["nvidia.com/gpu"] = str(devices)
    return result


def allocatable(whole: Mapping[str, str]) -> dict[str, str]:
    memory = max(int(whole["memory"][:-2]) - _RESERVED_MEMORY // 1024, 0)
    return {**whole, "memory": f"{memory}Ki"}


def gpus() -> int:
    """How many NVIDIA devices the kernel shows."""
    with suppress(OSError):
        return sum(1 for entry in os.scandir("/dev") if entry.name[:6] == "nvidia" and entry.name[6:].isdigit())
    return 0


class Registration:
    """`notes` are annotations: what this machine does not allow, so that nobody has to guess."""

    def __init__(self, client: Client, clock: Clock, name: str, max_pods: int) -> None:
        self._client, self._clock, self._name = client, clock, name
        self.capacity = capacity(max_pods)
        self.allocatable = allocatable(self.capacity)

    async def ensure(self, address: str, notes: Mapping[str, str]) -> None:
        """Create or bring up to date, however often it takes. What others put on the Node (labels, taints) stays."""
        await self._told(lambda: self._ensure(address, notes))

    async def _told(self, tell: Callable[[], Awaitable[object]]) -> None:
        """A webhook or a policy may be in the way, until somebody mends it."""
        while True:
            try:
                await tell()
                return
            except (errors.ApiError, OSError) as failure:
                log.warning("the node is not as it should be yet: %s", failure)
                await self._clock.sleep(_AGAIN)

    async def _ensure(self, address: str, notes: Mapping[str, str]) -> None:
        existing = await self._client.find(NODE, self._name)
        wanted = {"labels": self._labels(), "annotations": dict(notes)}
        if existing is None:
            with suppress(errors.AlreadyExists):
                existing = await self._client.create(NODE, NODE.new(self._name, metadata=wanted, spec={}))
        else:
            existing = await self._client.patch(NODE, self._name, None, {"metadata": wanted})
        await self._client.patch_status(NODE, self._name, None, self._status(existing or {}, address, ready=True))
        await self._renew()

    async def note(self, notes: Mapping[str, str]) -> None:
        """Something has been found out about this machine."""
        patch = {"metadata": {"annotations": dict(notes)}}
        await self._told(lambda: self._client.patch(NODE, self._name, None, patch))

    async def heartbeat(self) -> None:
        """For ever."""
        while True:
            await self._clock.sleep(HEARTBEAT)
            try:
                await self._renew()
            except (errors.ApiError, OSError) as failure:
                log.warning("the node's lease was not renewed: %s", failure)

    async def leave(self, address: str) -> None:
        """Say that the agent has stopped: nothing more should be placed here."""
        existing = await self._client.find(NODE, self._name)
        if existing is not None:
            await self._client.patch_status(NODE, self._name, None, self._status(existing, address, ready=False))

    def _labels(self) -> dict[str, str]:
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        return {
            "kubernetes.io/hostname": self._name,
            "kubernetes.io/os": platform.system().lower(),
            "kubernetes.io/arch": machine,
            "node-role.kubernetes.io/control-plane": "",
        }

    def _status(self, existing: Object, address: str, *, ready: bool) -> Object:
        now = timestamp(self._clock.now())
        why = ("KubeletReady", "the agent takes pods") if ready else ("NodeShutdown", "the agent has stopped")
        return {
            "capacity": self.capacity,
            "allocatable": self.allocatable,
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": self._name},
            ],
            "conditions": [
                {**condition, "lastHeartbeatTime": now}  # of this writing; that the agent lives is its lease's to say
                for condition in conditions.merged(
                    (existing.get("status") or {}).get("conditions"), now, ("Ready", ready, *why)
                )
            ],
            "nodeInfo": {
                "architecture": platform.machine(),
                "operatingSystem": platform.system().lower(),
                "kernelVersion": platform.release(),
                "osImage": platform.platform(),
                "containerRuntimeVersion": f"process://{platform.python_version()}",
                "kubeletVersion": f"v1.36.0+fairway.{_version()}",
                "kubeProxyVersion": "",
                "machineID": _machine_id(),
                "systemUUID": "",
                "bootID": _read("/proc/sys/kernel/random/boot_id"),
            },
        }

    async def _renew(self) -> None:
        now = timestamp_micro(self._clock.now())
        spec = {"holderIdentity": self._name, "leaseDurationSeconds": 60, "renewTime": now}
        try:
            await self._client.patch(LEASE, self._name, _LEASES, {"spec": spec})
        except errors.NotFound:
            await self._create_lease(spec)

    async def _create_lease(self, spec: Object) -> None:
        """A server that has no namespace for leases has no use for them either."""
        with suppress(errors.NotFound, errors.AlreadyExists):
            await self._client.create(LEASE, LEASE.new(self._name, _LEASES, spec=spec))


def _version() -> str:
    return str(getattr(fairway, "__version__", "0"))


def _machine_id() -> str:
    return _read("/etc/machine-id")


def _read(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text().strip()
    return ""
