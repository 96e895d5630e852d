"""The ledger of all nodes: who uses them, for whom room is kept, and where a pod fits. Pure, no clock.

It is told of every change of a pod or node and never adds all pods up again, so that a decision costs the same with
ten pods as with ten thousand. Room that preemption makes for a pod is kept from pods of lower priority.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from fairway.cluster.workloads.scheduling import claims, obstacles
from fairway.cluster.workloads.scheduling.accounts import Account, Scene, Tenant
from fairway.cluster.workloads.scheduling.demand import Demand
from fairway.cluster.workloads.scheduling.obstacles import Obstacle
from fairway.cluster.workloads.scheduling.terms import NamespaceLabels
from fairway.kernel.objects import quantities
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.meta import Key


@dataclass(frozen=True)
class Placement:
    """The node, or why there is none."""

    node: str
    why: str = ""
    found: Mapping[str, list[Obstacle]] = field(default_factory=dict)
    """The obstacles at each node that the pod cannot have."""


class Ledger:
    def __init__(
        self,
        namespace_labels: NamespaceLabels = lambda name: {},
        claim: Callable[[str, str], Object | None] = lambda namespace, name: None,
        volume: Callable[[str], Object | None] = lambda name: None,
    ) -> None:
        self._accounts: dict[str, Account] = {}
        self._tenants: dict[Key, tuple[str, Tenant]] = {}
        self._kept: dict[Key, tuple[str, Tenant]] = {}
        self._repelling = 0
        self._priorities: Counter[int] = Counter()
        self.scene = Scene(self._accounts, namespace_labels, claim, volume)

    @property
    def labelled(self) -> bool:
        """Whether some pod keeps others away by their labels."""
        return self._repelling > 0

    def has_below(self, priority: int) -> bool:
        """Whether a pod of lower priority uses any node."""
        return any(each < priority for each in self._priorities)

    def node_changed(self, name: str, node: Object | None) -> None:
        if node is None:
            self._accounts.pop(name, None)
            return
        offered = (node.get("status") or {}).get("allocatable") or {}
        offers = {resource: quantities.parse(amount) for resource, amount in offered.items()}
        known = self._accounts.get(name)
        if known is None:
            known = self._accounts[name] = Account(node, offers)
            for where, tenant in self._tenants.values():
                if where == name:
                    known.add(tenant)
        known.node, known.offers = node, offers

    # Who uses what

    def charge(self, key: Key, node: str, pod: Object, requests: Mapping[str, Decimal]) -> None:
        """The pod uses the node from now on. Saying it twice is saying it once."""
        if self.place_of(key) == node:
            return
        self.release(key)
        tenant = Tenant.of(key, pod, requests)
        self._tenants[key] = (node, tenant)
        self._repelling += bool(tenant.repels)
        self._priorities[tenant.priority] += 1
        if account := self._accounts.get(node):
            account.add(tenant)

    def release(self, key: Key) -> bool:
        """The pod uses nothing any more; whether it did before."""
        node, tenant = self._tenants.pop(key, ("", None))
        if tenant is None:
            return False
        self._repelling -= bool(tenant.repels)
        self._priorities -= Counter((tenant.priority,))
        if account := self._accounts.get(node):
            account.remove(key)
        return True

    def place_of(self, key: Key) -> str:
        return self._tenants[key][0] if key in self._tenants else ""

    def seen(self, key: Key, pod: Object) -> bool:
        """A newer state of a pod that uses a node; False of one that uses none."""
        if key not in self._tenants:
            return False
        self._tenants[key][1].pod = pod
        return True

    # For whom room is kept

    def keep(self, key: Key, node: str, pod: Object, requests: Mapping[str, Decimal]) -> None:
        self._kept[key] = (node, Tenant.of(key, pod, requests))

    def forget(self, key: Key) -> bool:
        return self._kept.pop(key, None) is not None

    def kept_for(self, key: Key) -> str:
        """The node where room is kept for the pod."""
        return self._kept[key][0] if key in self._kept else ""

    def with_kept(self, name: str, wanted: Demand, key: Key | None) -> Account:
        """The books of a node with those for whom room is kept and who are not below the pod."""
        account = self._accounts[name]
        guests = [
            tenant
            for guest, (node, tenant) in self._kept.items()
            if node == name and guest != key and tenant.priority >= wanted.priority and guest not in self._tenants
        ]
        return account.with_(guests) if guests else account

    # Where a pod fits

    def place(self, wanted: Demand, key: Key | None = None) -> Placement:
        """The emptiest node that fits, the one where room is kept for the pod first."""
        if not self._accounts:
            return Placement("", "no nodes available to schedule pods")
        if wanted.claims and (why := claims.missing(wanted, self.scene)):
            found = {name: [Obstacle(why)] for name in self._accounts}
            return Placement("", f"0/{len(self._accounts)} nodes are available: {why}.", found)
        fitting, found = [], {}
        for name in self._accounts:
            account = self.with_kept(name, wanted, key)
            obstacles_here = list(obstacles.of(wanted, account, self.scene))
            if obstacles_here:
                found[name] = obstacles_here
            else:
                fitting.append((account.fullness, name))
        if fitting:
            kept = self._kept[key][0] if key is not None and key in self._kept else ""
            return Placement(kept if any(name == kept for _, name in fitting) else min(fitting)[1], found=found)
        reasons = Counter(obstacle.text for here in found.values() for obstacle in here)
        return Placement("", counted(len(self._accounts), reasons), found)


def counted(nodes: int, reasons: Mapping[str, int]) -> str:
    texts = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return f"0/{nodes} nodes are available: {texts}."
