"""A cluster in a test: the real store, API and controllers in one event loop. No mocked client anywhere.

>>> async with cluster(tmp_path, node=True) as here:        # doctest: +SKIP
...     await here.client.create(POD, {...})

`here.client` is the in-process client of an administrator; `here.kubeconfig` reaches the same API over TLS on
a loopback port, for clients that are processes of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fairway.cluster.api import addresses
from fairway.cluster.api.identity import front_proxy
from fairway.cluster.api.identity.certificates import ensure, server_context
from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.api.signing.authority import signer
from fairway.cluster.node.build import NodeConfig
from fairway.cluster.node.build import build as build_node
from fairway.cluster.node.runtime import PodRuntime
from fairway.cluster.store.memory import MemoryStore
from fairway.cluster.store.protocol import Store
from fairway.cluster.workloads.build import KINDS as WORKLOAD_KINDS
from fairway.cluster.workloads.build import build as build_workloads
from fairway.kernel.client import kubeconfig
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock, SystemClock
from fairway.kernel.feature import Feature, Identity, Parts, Platform, Service
from fairway.kernel.objects.crds import CustomKind
from fairway.kernel.settings import Settings
from fairway.up.front import install, start, task_group
from fairway.up.owner import ADMIN

NODE = "test-node"


@dataclass(frozen=True)
class Cluster:
    """What a test gets. `platform` is what a feature's `build` takes, kept in `folder`."""

    client: Client
    api: ApiServer
    api_url: str
    issuer: Issuer
    kubeconfig: Path
    folder: Path
    platform: Platform
    parts: tuple[Parts, ...]
    tasks: asyncio.TaskGroup

    def client_as(self, user: str, *groups: str) -> Client:
        """An in-process client of somebody else."""
        return Client(self.api.transport(Identity(user, groups)))


@asynccontextmanager
async def cluster(
    folder: Path,
    *,
    store: Store | None = None,
    clock: Clock | None = None,
    workloads: bool = True,
    node: bool = False,
    runtime: PodRuntime | None = None,
    engine: str = "none",
    features: Iterable[Feature] = (),
    kinds: Iterable[CustomKind] = (),
    public_url: str = "http://127.0.0.1:8080",
    service_network: str = "",
    settings: tuple[Settings, ...] = (),
) -> AsyncGenerator[Cluster, None]:
    """Everything that is asked for, ready inside the block. `node` runs pods, as processes or by `runtime`;
    `engine` is for images of no catalogue."""
    clock, store = clock or SystemClock(), store or MemoryStore()
    issuer, tls = Issuer.load(folder / "pki"), ensure(folder / "pki", hosts=("localhost", "127.0.0.1"))
    # Clusters of tests run side by side, and each needs few addresses.
    network = service_network or addresses.network_of(folder, prefix=24)
    front = front_proxy.ensure(folder / "pki", tls.ca_pem)
    api = ApiServer(store, clock=clock, issuer=issuer, service_network=network, front_proxy=front)
    try:
        api_url = f"https://127.0.0.1:{await api.serve('127.0.0.1', 0, server_context(tls))}"
        token = issuer.mint(ADMIN.user, ADMIN.groups, seconds=3600)
        kubeconfig.write(folder / "kubeconfig", server=api_url, ca_pem=tls.ca_pem, token=token)
        client = Client(api.transport(ADMIN))
        platform = Platform(
            client=client,
            clock=clock,
            public_url=public_url,
            records_url=f"sqlite:///{folder / 'records.db'}",
            artifacts_url=(folder / "artifacts").as_uri(),
            state_dir=folder,
            settings=settings,
        )
        async with task_group() as tasks:
            features = tuple(features)
            brought = WORKLOAD_KINDS if workloads else ()
            await install(client, (*brought, *kinds, *(kind for feature in features for kind in feature.kinds)))
            parts = [feature.build(platform) for feature in features]
            if workloads:
                parts.append(
                    build_workloads(client, clock, ca_pem=tls.ca_pem, sign=signer(folder / "pki"), look=api.look_behind)
                )
            agent = None
            if node or runtime:
                agent = build_node(
                    client, clock, NodeConfig(NODE, folder / "node", api_url, tls.ca_pem, engine=engine), runtime
                )
                api.reach_pods(agent.logs, agent.executions)
                api.measure_with(agent.measures)
                parts.append(agent.parts)
            await start((Parts(services=(Service("api", api.run),)), *parts), client, clock, tasks)
            yield Cluster(client, api, api_url, issuer, folder / "kubeconfig", folder, platform, tuple(parts), tasks)
            if agent:
                await agent.shutdown(stop_pods=True)
    finally:
        await api.close()
        await store.close()
