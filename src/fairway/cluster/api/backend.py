"""What the verbs stand on: the store, the clock, what is served, and the few things that are counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from fairway.cluster.api.addresses import Addresses
from fairway.cluster.api.admission.chain import Chain
from fairway.cluster.api.aggregation.aggregator import Aggregator
from fairway.cluster.api.aside import Aside
from fairway.cluster.api.auditing.log import AuditLog
from fairway.cluster.api.authorizing.grants import Grants
from fairway.cluster.api.custom.conversion import Conversions
from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.pods.measures import Measures
from fairway.cluster.api.pods.podexec import PodExec
from fairway.cluster.api.pods.podlogs import PodLogs
from fairway.cluster.api.registry import Registry
from fairway.cluster.api.requests import Requests
from fairway.cluster.store.protocol import Store
from fairway.kernel import clock as time
from fairway.kernel.clock import Clock


@dataclass(slots=True)
class Backend:
    store: Store
    clock: Clock
    registry: Registry
    issuer: Issuer
    addresses: Addresses
    admission: Chain
    grants: Grants
    audit: AuditLog
    conversions: Conversions
    aside: Aside
    aggregator: Aggregator
    logs: PodLogs | None = None
    measures: Measures | None = None
    executions: PodExec | None = None
    requests: Requests = field(default_factory=Requests)
    _second: tuple[int, str] = (-1, "")

    def now(self) -> str:
        """The present second as text, written once for all who ask in it."""
        second = int(self.clock.now())
        if second != self._second[0]:
            self._second = second, time.timestamp(second)
        return self._second[1]
