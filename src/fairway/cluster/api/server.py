"""The API server: the pipeline with its faces, and what goes on in the background."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

from fairway.cluster.api import upkeep, whereabouts
from fairway.cluster.api.addresses import Addresses
from fairway.cluster.api.admission import built_in
from fairway.cluster.api.admission.webhooks.asking import Asker
from fairway.cluster.api.aggregation.aggregator import Aggregator
from fairway.cluster.api.aggregation.shelf import Shelf
from fairway.cluster.api.aside import Aside
from fairway.cluster.api.auditing.log import AuditLog
from fairway.cluster.api.authorizing import own_namespace
from fairway.cluster.api.authorizing.grants import Grants
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.custom import crds
from fairway.cluster.api.custom.conversion import Conversions
from fairway.cluster.api.http import HTTPFace
from fairway.cluster.api.identity import authentication
from fairway.cluster.api.identity.front_proxy import FrontProxy
from fairway.cluster.api.identity.tokens import MASTERS, Issuer
from fairway.cluster.api.inprocess import InProcessTransport
from fairway.cluster.api.pipeline import Pipeline
from fairway.cluster.api.pods.measures import Measures
from fairway.cluster.api.pods.podexec import PodExec
from fairway.cluster.api.pods.podlogs import PodLogs
from fairway.cluster.api.registry import Registry
from fairway.cluster.api.webhooks.calling import Caller
from fairway.cluster.store.protocol import Store
from fairway.kernel.client.client import Client
from fairway.kernel.client.transport import Transport
from fairway.kernel.clock import Clock
from fairway.kernel.feature import Identity
from fairway.kernel.objects.kinds import CRD, SERVICE

_SELF = Identity("system:apiserver", (MASTERS,))


class ApiServer:
    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        issuer: Issuer,
        logs: PodLogs | None = None,
        service_network: str = "127.32.0.0/16",
        service_accounts: str = own_namespace.OWN_NAMESPACE,
        audit: Path | None = None,
        front_proxy: FrontProxy | None = None,
    ) -> None:
        """`audit` is the folder of the audit log; without it there is none. `front_proxy` is by what servers of
        aggregated APIs know this one."""
        registry = Registry()
        for record in store.list(CRD.resource).records:
            registry.put(record.key.name, crds.serve(record.object))
        services = [record.object for record in store.list(SERVICE.resource).records]
        addresses = Addresses(service_network, services)
        grants = Grants(store, service_accounts=service_accounts)
        self._caller = Caller(store)
        conversions, aside = Conversions(self._caller), Aside()
        asker = Asker(self._caller, conversions, grants, aside)
        admission = built_in.chain(store, clock, registry, asker, grants, issuer, aside)
        aggregator = Aggregator(store, Shelf(store, registry), front_proxy)
        log = AuditLog(audit, clock)
        self._backend = Backend(
            store, clock, registry, issuer, addresses, admission, grants, log, conversions, aside, aggregator, logs
        )
        self.pipeline = Pipeline(self._backend)
        self._face = HTTPFace(self.pipeline)

    def transport(self, identity: Identity) -> Transport:
        """The API without a wire, in the name of `identity`."""
        return InProcessTransport(self.pipeline, authentication.authenticated(identity))

    async def serve(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen for HTTP at an address; gives the port, which the system chooses where `port` is 0."""
        await self.pipeline.prepare()
        port = await self._face.serve(host, port, tls)
        await whereabouts.tell(Client(self.transport(_SELF)), host, port)
        return port

    async def run(self, ready: Callable[[], None]) -> None:
        """Keep the store small and old events out of it, for ever."""
        await self.pipeline.prepare()
        ready()
        await upkeep.run(self._backend)

    async def close(self) -> None:
        """Stop listening; what is being written is written first."""
        await self._face.close()
        await self._caller.close()
        self._backend.aside.close()
        await self._backend.aggregator.close()
        self._backend.audit.close()

    async def look_behind(self, name: str) -> str:
        """Ask the server behind an APIService what it serves; gives a sentence where it does not answer."""
        return await self._backend.aggregator.look(name)

    def measure_with(self, measures: Measures) -> None:
        """Tell the server who measures pods and nodes."""
        self._backend.measures = measures

    def reach_pods(self, logs: PodLogs, executions: PodExec | None = None) -> None:
        """Tell the server who keeps the pods' logs and runs commands in them; that is known only after it was made."""
        self._backend.logs, self._backend.executions = logs, executions
