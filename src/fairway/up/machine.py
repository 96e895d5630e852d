"""One machine: builds the embedded cluster, the features and the front door, in order, under one task group.

With a kubeconfig of somebody else's cluster only what stands in front of the seam is built, against that
cluster. What is shared by both is `front.front_of_the_seam`; it gets a client and cannot tell the two apart.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform as machine
import signal
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fairway.cluster.api import addresses
from fairway.cluster.api.auditing import reading as auditing
from fairway.cluster.api.defaults import stored
from fairway.cluster.api.identity import front_proxy
from fairway.cluster.api.identity.certificates import ensure, server_context
from fairway.cluster.api.identity.tokens import ISSUER, Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.api.signing.authority import signer
from fairway.cluster.network.build import build as build_network
from fairway.cluster.network.config import NetworkConfig
from fairway.cluster.network.kinds import KINDS as NETWORK_KINDS
from fairway.cluster.node import preload
from fairway.cluster.node.build import Node, NodeConfig
from fairway.cluster.node.build import build as build_node
from fairway.cluster.store.sqlite import SQLiteStore
from fairway.cluster.workloads.build import KINDS as WORKLOAD_KINDS
from fairway.cluster.workloads.build import build as build_workloads
from fairway.features import FEATURES
from fairway.kernel.client import kubeconfig
from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.clock import Clock, SystemClock
from fairway.kernel.control.running import start_service
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import NAMESPACE
from fairway.kernel.settings import Settings
from fairway.up import roles
from fairway.up.front import front_of_the_seam, install, public_url, start, task_group
from fairway.up.owner import ADMIN, OwnerToken
from fairway.up.settings import StartError, UpSettings, claim

log = logging.getLogger(__name__)

_STOP_SECONDS = 45
_LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class Running:
    """What a caller of `up` learns once everything is ready."""

    url: str
    one_time_url: str
    kubeconfig: Path
    data_dir: Path
    api_url: str


@asynccontextmanager
async def running(
    settings: UpSettings, *, rooms: tuple[Settings, ...] = (), clock: Clock | None = None
) -> AsyncGenerator[Running, None]:
    """The whole platform, ready inside the block, gone after it. `rooms`: settings of features. Raises StartError."""
    clock = clock or SystemClock()
    claim(settings.data_dir)
    start = _on_another_cluster if settings.kubeconfig else _on_this_machine
    async with start(settings, rooms, clock) as platform:
        yield platform


async def serve(settings: UpSettings, rooms: tuple[Settings, ...], ready: Callable[[Running], None]) -> None:
    """Run until the process is asked to end (SIGTERM, SIGINT); asked twice, it ends at once, as by kill -9."""
    ended, started = asyncio.Event(), False
    task = asyncio.current_task()

    def end() -> None:
        if ended.is_set():
            os._exit(1)
        ended.set()
        if not started and task is not None:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)
    async with running(settings, rooms=rooms) as platform:
        started = True
        ready(platform)
        await ended.wait()


@asynccontextmanager
async def _on_this_machine(
    settings: UpSettings, rooms: tuple[Settings, ...], clock: Clock
) -> AsyncGenerator[Running, None]:
    folder = settings.data_dir
    async with _cluster(settings, clock) as cluster, task_group() as tasks:
        client, node = cluster.client, cluster.node
        await start_service("api", cluster.api.run, tasks)
        own = (*NETWORK_KINDS, *WORKLOAD_KINDS)
        await install(client, own)
        await roles.keep(client, (*own, *(kind for feature in FEATURES for kind in feature.kinds)))
        front = await front_of_the_seam(settings, rooms, client, clock, tasks, cluster.token.now, "127.0.0.1", 0)
        gateway = NetworkConfig(
            host=settings.host,
            port=settings.port,
            front=("127.0.0.1", front.port),
            front_paths=front.paths,
            front_names=tuple(sorted(f"[{name}]" if ":" in name else name for name in front.names)),
            run_dir=folder / "gateway",
            jwks=cluster.issuer.jwks(),
            issuer=ISSUER,
            preload=preload.library(folder / "node"),
        )
        workloads = build_workloads(
            client, clock, ca_pem=cluster.ca_pem, sign=signer(folder / "pki"), look=cluster.api.look_behind
        )
        await start((workloads, node.parts, build_network(client, clock, gateway)), client, clock, tasks)
        tasks.create_task(_end_without(folder, clock), name="data-directory")
        tasks.create_task(cluster.token.keep(), name="owner-token")
        yield Running(public_url(settings), front.one_time_url(), folder / "kubeconfig", folder, cluster.api_url)
        await _stop_pods(node)


async def _end_without(folder: Path, clock: Clock) -> None:
    """Without its data directory the platform can keep nothing, and no command finds it: it ends, and says why."""
    ours = folder.stat()
    while True:
        await clock.sleep(_LOOK_SECONDS)
        try:
            there = os.path.samestat(ours, folder.stat())
        except OSError:
            there = False
        if not there:
            raise StartError(
                f"the data directory {folder} was removed while the platform ran: `fairway up` starts anew"
            )


async def _stop_pods(node: Node) -> None:
    """Pods get their grace; whoever needs longer than all of us is found again at the next start."""
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await node.shutdown(stop_pods=True)
    except TimeoutError:
        log.warning(
            "some pods have not ended in %d s: they go on, and are found again at the next start", _STOP_SECONDS
        )


@dataclass(frozen=True)
class _Cluster:
    """What stands behind the seam before its controllers run."""

    api: ApiServer
    api_url: str
    issuer: Issuer
    ca_pem: str
    token: OwnerToken
    client: Client
    node: Node


@asynccontextmanager
async def _cluster(settings: UpSettings, clock: Clock) -> AsyncGenerator[_Cluster, None]:
    folder = settings.data_dir
    store = await SQLiteStore.open(folder / "objects.db", completion=stored.completion())
    try:
        issuer = Issuer.load(folder / "pki")
        tls = ensure(folder / "pki", hosts=("localhost", "127.0.0.1", "::1", machine.node()))
        api = ApiServer(
            store,
            clock=clock,
            issuer=issuer,
            service_network=addresses.network_of(folder),
            service_accounts=settings.service_accounts,
            audit=folder / auditing.FOLDER,
            front_proxy=front_proxy.ensure(folder / "pki", tls.ca_pem),
        )
        try:
            api_url = f"https://127.0.0.1:{await _listen(api, folder / 'api-port', server_context(tls))}"
            where = partial(kubeconfig.write, folder / "kubeconfig", server=api_url, ca_pem=tls.ca_pem)
            token = OwnerToken(issuer, clock, lambda fresh: where(token=fresh))
            client = Client(api.transport(ADMIN))
            node = build_node(client, clock, _node(settings, api_url, tls.ca_pem))
            api.reach_pods(node.logs, node.executions)
            api.measure_with(node.measures)
            yield _Cluster(api, api_url, issuer, tls.ca_pem, token, client, node)
        finally:
            await api.close()
    finally:
        await store.close()


def _node(settings: UpSettings, api_url: str, ca_pem: str) -> NodeConfig:
    return NodeConfig(
        machine.node(),
        settings.data_dir / "node",
        api_url,
        ca_pem,
        engine=settings.container_engine,
        images=settings.run_images_as,
        programs=settings.image_programs,
        restart_delay=settings.restart_delay,
        longest_restart_delay=settings.longest_restart_delay,
    )


@asynccontextmanager
async def _on_another_cluster(
    settings: UpSettings, rooms: tuple[Settings, ...], clock: Clock
) -> AsyncGenerator[Running, None]:
    path = Path(settings.kubeconfig).expanduser()
    access = kubeconfig.load(path)
    client = Client(HTTPTransport(access.server, token=access.token, tls=access.tls()))
    try:
        await _greet(client, access.server, path)
        async with task_group() as tasks:
            front = await front_of_the_seam(
                settings, rooms, client, clock, tasks, lambda: access.token, settings.host, settings.port
            )
            yield Running(public_url(settings), front.one_time_url(), path, settings.data_dir, access.server)
    finally:
        await client.close()


async def _greet(client: Client, server: str, path: Path) -> None:
    """Ask the other cluster for something small. Raises StartError where it does not take us."""
    try:
        await client.list(NAMESPACE, limit=1)
    except errors.Unauthorized as refused:
        text = f"{server} does not accept the credential in {path}: put a valid token there, or give another kubeconfig"
        raise StartError(text) from refused
    except (errors.Unavailable, errors.Timeout) as silent:
        raise StartError(f"{silent}; check the address in {path}, or give another kubeconfig") from silent


async def _listen(api: ApiServer, remembered: Path, tls: ssl.SSLContext) -> int:
    """Serve on the port of last time where it is free, so that kubeconfigs stay good over restarts."""
    try:
        wanted = int(remembered.read_text())
    except (OSError, ValueError):  # a new folder, or a power failure left the file empty
        wanted = 0
    try:
        port = await api.serve("127.0.0.1", wanted, tls)
    except OSError:
        port = await api.serve("127.0.0.1", 0, tls)
    beside = remembered.with_name(f".{remembered.name}")
    beside.write_text(str(port))
    beside.replace(remembered)
    return port
