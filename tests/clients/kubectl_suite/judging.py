"""Runs groups one after the other against an API server, as upstream does: they share its cluster-scoped objects."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fairway.cluster.api.identity import certificates
from fairway.cluster.workloads.build import KINDS, build
from fairway.kernel.feature import Feature, Parts, Platform
from fairway.kernel.objects.kinds import CLUSTER_ROLE_BINDING, NODE, STORAGE_CLASS
from fairway.testing.cluster import Cluster

from . import doorway

DRIVER = Path(__file__).with_name("group.sh")
SERVICES = "10.0.0.0/24"
"""The addresses of Services with which upstream starts its server: the suite asks for some of them."""
CUSTOM = tuple(one.kind for one in KINDS)
_PATIENCE = 240.0
_RBAC = "rbac.authorization.k8s.io"


def _controllers(platform: Platform) -> Parts:
    """As upstream's suite has them: no scheduler, so that nobody but the tests writes to pods, and no custom kinds."""
    parts = build(platform.client, platform.clock, ca_pem="any certificate\n")
    return replace(
        parts,
        controllers=tuple(one for one in parts.controllers if one.kind not in CUSTOM),
        services=tuple(one for one in parts.services if one.name != "scheduler"),
    )


CONTROLLERS = Feature("controllers", build=_controllers)


@dataclass(frozen=True)
class Verdict:
    """`misses` are the places in upstream's files where the group would have stopped, each as "file:line"."""

    group: str
    misses: tuple[str, ...]
    seconds: float

    @property
    def passes(self) -> bool:
        return not self.misses


async def judge(here: Cluster, root: Path, kubectl: Path, chosen: Iterable[str], logs: Path) -> AsyncIterator[Verdict]:
    """Each group's output is kept in `logs`."""
    await _create_node(kubectl, here.kubeconfig)
    # It expects that nobody has made a class of storage.
    await here.client.delete(STORAGE_CLASS, "local-path")
    # Upstream's server lets everybody do everything here: all whom the suite speaks of.
    subjects = [{"kind": "Group", "name": name, "apiGroup": _RBAC} for name in ("system:authenticated", "the-group")]
    role = {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": _RBAC}
    await here.client.create(CLUSTER_ROLE_BINDING, {"metadata": {"name": "all"}, "subjects": subjects, "roleRef": role})
    tls = certificates.ensure(here.folder / "pki", hosts=("localhost", "127.0.0.1"))
    port = int(here.api_url.rpartition(":")[2])
    token = here.issuer.mint("admin", ("system:masters",), seconds=24 * 3600)
    trusting = ssl.create_default_context(cadata=tls.ca_pem)
    home = here.folder / "suite"
    (home / "bin").mkdir(parents=True)
    (home / "bin/kubectl").symlink_to(kubectl)
    for plugin in kubectl.resolve().parent.glob("kubectl-convert"):
        (home / "bin" / plugin.name).symlink_to(plugin)
    (home / "apiserver.crt").write_text("any certificate\n")
    async with doorway.opened(port, trusting, certificates.server_context(tls), token) as entrance:
        for group in chosen:
            yield await _run(group, root, kubectl, entrance, home, logs / f"{group}.log")


async def _create_node(kubectl: Path, kubeconfig: Path) -> None:
    """Upstream's suite has no kubelet either, and this object in its place. kubectl makes it, as upstream has it: what
    is written in process has no managers."""
    ready = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusNeverUpdated"}
    status = {"capacity": {"memory": "1Gi"}, "conditions": [ready]}
    node = NODE.new("127.0.0.1", status=status)
    command = (kubectl, "--kubeconfig", kubeconfig, "create", "-f", "-")
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    await process.communicate(json.dumps(node).encode())
    if process.returncode:
        raise RuntimeError(f"{kubectl} could not create the node")


async def _run(group: str, root: Path, kubectl: Path, entrance: int, folder: Path, log: Path) -> Verdict:
    """All groups have one home, as one leaves its namespace to the next."""
    misses = folder / "misses"
    misses.write_text("it did not begin\n")
    began = time.monotonic()
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            "bash",
            DRIVER,
            group,
            misses,
            cwd=root,
            env={
                "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
                "HOME": str(folder),
                "TMPDIR": str(folder),
                "SECURE_API_PORT": str(entrance),
                "KUBE_OUTPUT_HOSTBIN": str(folder / "bin"),
                "TERM": "dumb",
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE)
            late: tuple[str, ...] = ()
        except TimeoutError:
            late = (f"not over after {_PATIENCE:.0f} s",)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
    found = tuple(dict.fromkeys(misses.read_text().splitlines()))
    return Verdict(group, found + late, time.monotonic() - began)
