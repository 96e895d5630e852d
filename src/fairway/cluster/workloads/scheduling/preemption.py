"""Whose pods would have to go so that a more important pod fits: as few, and as unimportant, as possible. Pure.

As upstream decides: on each node all pods of lower priority are taken away in thought, and the most important ones are
let back in as long as the pod still fits; of the nodes the one is taken where least is lost. Pods that leave already
are counted as gone, so that nobody is asked to go for room that is about to be there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from fairway.cluster.workloads.scheduling import ledger, obstacles
from fairway.cluster.workloads.scheduling.accounts import Account, Scene, Tenant
from fairway.cluster.workloads.scheduling.demand import Demand
from fairway.cluster.workloads.scheduling.ledger import Ledger, Placement
from fairway.kernel.objects import meta, selectors
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.meta import Key

_NO_VICTIMS = "No preemption victims found for incoming pod"
_LOWEST = -(2**31)
_NO_HELP = "Preemption is not helpful for scheduling"


@dataclass(frozen=True)
class Preemption:
    """The node where room can be made, and who would go; or why nobody would."""

    node: str
    victims: tuple[Tenant, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class _Candidate:
    node: str
    victims: tuple[Tenant, ...]
    violations: int
    """How many of the victims a disruption budget protects."""

    @property
    def cost(self) -> tuple[int, int, int, int, list[int], str]:
        """What is lost; among equals the node is taken whose most important victims have run for the shortest time."""
        priorities = [victim.priority for victim in self.victims]
        highest = max(priorities, default=_LOWEST)
        since = min((_since(victim) for victim in self.victims if victim.priority == highest), default="")
        youngest_first = [-ord(letter) for letter in since]
        # Each counts, however far below zero its priority is: two are more than one.
        total = sum(priority - _LOWEST for priority in priorities)
        return self.violations, highest, total, len(self.victims), youngest_first, self.node


def find(books: Ledger, wanted: Demand, key: Key, placement: Placement, budgets: Iterable[Object]) -> Preemption:
    if not wanted.preempts:
        return Preemption("", why="preemption: not eligible due to preemptionPolicy=Never.")
    if _is_made(books, wanted, key):
        return Preemption("", why="preemption: not eligible due to a terminating pod on the nominated node.")
    budgets, reasons = list(budgets), Counter[str]()
    candidates, anybody = [], books.has_below(wanted.priority)
    for name, found in placement.found.items():
        if not all(obstacle.cure for obstacle in found):
            reasons[_NO_HELP] += 1
        elif not anybody or (candidate := _candidate(books, wanted, key, name, budgets)) is None:
            reasons[_NO_VICTIMS] += 1
        else:
            candidates.append(candidate)
    if candidates:
        best = min(candidates, key=lambda candidate: candidate.cost)
        return Preemption(best.node, best.victims)
    return Preemption("", why=f"preemption: {ledger.counted(len(placement.found), reasons)}")


def _is_made(books: Ledger, wanted: Demand, key: Key) -> bool:
    """Room is being made for the pod already: somebody of lower priority leaves the node that it waits for."""
    account = books.scene.accounts.get(books.kept_for(key))
    tenants = account.tenants.values() if account else ()
    return any(tenant.leaving and tenant.priority < wanted.priority for tenant in tenants)


def _candidate(books: Ledger, wanted: Demand, key: Key, name: str, budgets: list[Object]) -> _Candidate | None:
    account = books.with_kept(name, wanted, key)
    staying = account.with_(without=[tenant.key for tenant in account.tenants.values() if tenant.leaving])
    if _fits(wanted, name, staying, books.scene):
        return _Candidate(name, (), 0)  # who leaves already leaves enough
    lower = [tenant for tenant in staying.tenants.values() if tenant.priority < wanted.priority]
    trial = staying.with_(without=[tenant.key for tenant in lower])
    if not lower or not _fits(wanted, name, trial, books.scene):
        return None
    guarded = _guarded(lower, budgets)
    victims, violations = [], 0
    for tenant in sorted(lower, key=lambda tenant: (tenant.key not in guarded, -tenant.priority, _since(tenant))):
        trial.add(tenant)
        if not _fits(wanted, name, trial, books.scene):
            trial.remove(tenant.key)
            victims.append(tenant)
            violations += tenant.key in guarded
    return _Candidate(name, tuple(victims), violations)


def _fits(wanted: Demand, name: str, account: Account, scene: Scene) -> bool:
    return not any(True for _ in obstacles.of(wanted, account, scene.instead(name, account)))


def _guarded(lower: Iterable[Tenant], budgets: Iterable[Object]) -> set[Key]:
    """Those whose going a disruption budget forbids, when the more important ones are asked first."""
    left = [(budget, int((budget.get("status") or {}).get("disruptionsAllowed") or 0)) for budget in budgets]
    allowed = {meta.uid(budget): count for budget, count in left}
    guarded = set()
    for tenant in sorted(lower, key=lambda tenant: (-tenant.priority, _since(tenant))):
        for budget, _ in left:
            if _covers(budget, tenant.pod):
                allowed[meta.uid(budget)] -= 1
                if allowed[meta.uid(budget)] < 0:
                    guarded.add(tenant.key)
    return guarded


def _covers(budget: Object, pod: Object) -> bool:
    if meta.namespace(budget) != meta.namespace(pod):
        return False
    return selectors.of_stored(budget["spec"].get("selector"))(meta.labels(pod))


def _since(tenant: Tenant) -> str:
    started = (tenant.pod.get("status") or {}).get("startTime")
    return str(started or tenant.pod["metadata"].get("creationTimestamp") or "")
