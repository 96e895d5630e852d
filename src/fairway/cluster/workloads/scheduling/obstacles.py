"""Everything that keeps a pod from a node, in upstream's words and order. Pure.

An obstacle with a cure would be gone if pods of the node were; that is what preemption asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from fairway.cluster.workloads.scheduling import claims, demand, neighbours, nodes
from fairway.cluster.workloads.scheduling.accounts import Account, Scene
from fairway.cluster.workloads.scheduling.demand import Demand


class Obstacle(NamedTuple):
    text: str
    cure: bool = False


def of(wanted: Demand, account: Account, scene: Scene) -> Iterator[Obstacle]:
    if (account.node.get("spec") or {}).get("unschedulable"):
        yield Obstacle("node(s) were unschedulable")
    if taint := nodes.untolerated(wanted.spec, account.node):
        yield Obstacle(f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value') or ''}}}")
    if not nodes.selected(wanted.spec, account.node):
        yield Obstacle("node(s) didn't match Pod's node affinity/selector")
    yield from _room(wanted, account)
    if wanted.ports and _port_taken(wanted, account):
        yield Obstacle("node(s) didn't have free ports for the requested pod ports", cure=True)
    if wanted.claims:
        if claims.elsewhere(wanted, account, scene):
            yield Obstacle(claims.CONFLICT)
        if claims.in_use(wanted, scene):
            yield Obstacle(claims.IN_USE, cure=True)
    if wanted.labels is not None:
        yield from _neighbours(wanted, account, scene)


def _room(wanted: Demand, account: Account) -> Iterator[Obstacle]:
    if len(account.tenants) + 1 > account.offers.get("pods", Decimal("Infinity")):
        yield Obstacle("Too many pods", cure=True)
    for resource, amount in wanted.requests.items():
        if amount > 0 and amount > account.free(resource):
            yield Obstacle(f"Insufficient {resource}", cure=amount <= account.offers.get(resource, Decimal(0)))


def _port_taken(wanted: Demand, account: Account) -> bool:
    return any(
        demand.clash(mine, theirs)
        for tenant in account.tenants.values()
        for theirs in tenant.ports
        for mine in wanted.ports
    )


def _neighbours(wanted: Demand, account: Account, scene: Scene) -> Iterator[Obstacle]:
    if not neighbours.attracted(wanted, account, scene):
        yield Obstacle(neighbours.AFFINITY)
    if neighbours.crowded(wanted, account, scene):
        yield Obstacle(neighbours.ANTI_AFFINITY, cure=True)
    if neighbours.repelled(wanted, account, scene):
        yield Obstacle(neighbours.REPELLED, cure=True)
    if why := neighbours.uneven(wanted, account, scene):
        yield Obstacle(why, cure=why == neighbours.SPREAD)
