"""The books of one node: what it offers, and what each pod that is bound to it uses. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from fairway.cluster.workloads.scheduling import demand, terms
from fairway.cluster.workloads.scheduling.demand import Port
from fairway.cluster.workloads.scheduling.terms import NamespaceLabels
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.meta import Key
from fairway.kernel.objects.quantities import EXACT

_NOTHING = Decimal(0)


@dataclass(slots=True)
class Tenant:
    """A pod that uses a node, or is about to."""

    key: Key
    requests: Mapping[str, Decimal]
    pod: Object
    priority: int = 0
    ports: tuple[Port, ...] = ()
    repels: tuple[Object, ...] = ()
    """The terms by which it keeps others away."""
    asked: bool = False
    """It was told to go, and may not be seen going yet."""

    @classmethod
    def of(cls, key: Key, pod: Object, requests: Mapping[str, Decimal]) -> Tenant:
        repels = tuple(terms.anti_affinity(pod["spec"]))
        return cls(key, requests, pod, demand.priority_of(pod), demand.ports_of(pod), repels)

    @property
    def leaving(self) -> bool:
        return self.asked or meta.being_deleted(self.pod)


@dataclass
class Account:
    node: Object
    offers: Mapping[str, Decimal]
    tenants: dict[Key, Tenant] = field(default_factory=dict)
    used: dict[str, Decimal] = field(default_factory=dict)
    repelling: dict[Key, Tenant] = field(default_factory=dict)
    """Those of the tenants that keep others away: few, and all that a pod without wishes has to ask."""

    def add(self, tenant: Tenant) -> None:
        self.tenants[tenant.key] = tenant
        if tenant.repels:
            self.repelling[tenant.key] = tenant
        for name, amount in tenant.requests.items():
            self.used[name] = EXACT.add(self.used.get(name, _NOTHING), amount)

    def remove(self, key: Key) -> None:
        tenant = self.tenants.pop(key, None)
        self.repelling.pop(key, None)
        if tenant is not None:
            for name, amount in tenant.requests.items():
                self.used[name] = EXACT.subtract(self.used[name], amount)

    def free(self, resource: str) -> Decimal:
        return self.offers.get(resource, _NOTHING) - self.used.get(resource, _NOTHING)

    def with_(self, more: Iterable[Tenant] = (), *, without: Iterable[Key] = ()) -> Account:
        """A copy of the books, for the sake of argument."""
        copy = Account(self.node, self.offers, dict(self.tenants), dict(self.used), dict(self.repelling))
        for key in without:
            copy.remove(key)
        for tenant in more:
            copy.add(tenant)
        return copy

    @property
    def fullness(self) -> float:
        cpu = self.offers.get("cpu")
        return float(self.used.get("cpu", _NOTHING) / cpu) if cpu else float(len(self.tenants))


@dataclass(frozen=True)
class Scene:
    """All that a decision looks at besides the pod and the node."""

    accounts: Mapping[str, Account]
    namespace_labels: NamespaceLabels
    claim: Callable[[str, str], Object | None]
    """By namespace and name."""
    volume: Callable[[str], Object | None]

    def instead(self, name: str, account: Account) -> Scene:
        """The same with other books of one node."""
        return Scene({**self.accounts, name: account}, self.namespace_labels, self.claim, self.volume)
