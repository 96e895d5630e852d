"""Namespaces: born with a service account and the cluster's CA, emptied before they go.

A namespace that is being deleted keeps the finalizer `kubernetes` until every object in it is gone; what
still remains is said in its conditions. The API refuses new objects meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from fairway.cluster.workloads import discovery
from fairway.kernel import clock
from fairway.kernel.control.controller import Controller, World, by_name
from fairway.kernel.objects import conditions, errors, meta
from fairway.kernel.objects.kinds import CONFIG_MAP, NAMESPACE, POD, SERVICE_ACCOUNT, Kind, Object
from fairway.kernel.objects.meta import Key

ROOT_CA = "kube-root-ca.crt"
_ACCOUNT = "default"
FINALIZER = "kubernetes"
_DISCOVERED = (
    "NamespaceDeletionDiscoveryFailure",
    False,
    "ResourcesDiscovered",
    "All resources successfully discovered",
)
_DELETED = (
    "NamespaceDeletionContentFailure",
    False,
    "ContentDeleted",
    "All content successfully deleted, may be waiting on finalization",
)
_MOST_TOLD = 3
_SOONEST, _LATEST = 0.1, 5.0  # seconds between looks at a namespace whose objects are still ending


def controller(ca_pem: str) -> Controller:
    async def reconcile(world: World, _: str, name: str) -> float | None:
        namespace = world.mirror(NAMESPACE).get("", name)
        if namespace is None:
            return None
        if meta.being_deleted(namespace):
            return await _empty(world, namespace)
        await _furnish(world, namespace, ca_pem)
        return None

    return Controller(
        "namespaces",
        NAMESPACE,
        reconcile,
        named=((SERVICE_ACCOUNT, _ACCOUNT, _furnished), (CONFIG_MAP, ROOT_CA, _furnished)),
    )


def _furnished(furniture: Object) -> Iterable[Key]:
    """Deleting what every namespace has brings it back."""
    return (("", meta.namespace(furniture)),)


async def _furnish(world: World, namespace: Object, ca_pem: str) -> None:
    name = meta.name(namespace)
    wanted = [(SERVICE_ACCOUNT, SERVICE_ACCOUNT.new(_ACCOUNT, name))]
    if ca_pem:
        wanted.append((CONFIG_MAP, CONFIG_MAP.new(ROOT_CA, name, data={"ca.crt": ca_pem})))
    for kind, obj in wanted:
        found = world.mirror(kind, by_name(meta.name(obj))).get(name, meta.name(obj))
        if found is None:
            with contextlib.suppress(errors.AlreadyExists):
                await world.client.create(kind, obj)
        elif found.get("data") != obj.get("data"):
            await world.client.patch(kind, meta.name(obj), name, {"data": obj["data"]})


async def _empty(world: World, namespace: Object) -> float | None:
    if FINALIZER not in (namespace.get("spec") or {}).get("finalizers", ()):
        return None
    name = meta.name(namespace)
    served = await discovery.found(world.client, verbs=("list", "delete"))
    problems: list[str] = []
    left = await _delete_pods_then_rest(world, name, [kind for kind in served.kinds if kind.namespaced], problems)
    if served.silent:
        await _say(world, namespace, ("NamespaceDeletionDiscoveryFailure", True, "DiscoveryFailed", _silent(served)))
        return _LATEST
    if not left:
        body = {**namespace, "spec": {**namespace["spec"], "finalizers": []}}
        await world.client.update(NAMESPACE, body, subresource="finalize")
        return None
    await _say_what_remains(world, namespace, left, problems)
    waited = world.clock.now() - clock.parse(namespace["metadata"]["deletionTimestamp"])
    return min(max(_SOONEST, waited / 5), _LATEST)


async def _delete_pods_then_rest(
    world: World, namespace: str, kinds: list[Kind], problems: list[str]
) -> dict[str, int]:
    """Ask every object to go; give how many of each kind remain. Pods go first, while their secrets exist."""
    if left := await _delete_all(world, namespace, POD, problems):
        return {POD.resource: left}
    counts = await asyncio.gather(*(_delete_all(world, namespace, kind, problems) for kind in kinds))
    return {kind.resource: count for kind, count in zip(kinds, counts, strict=True) if count}


async def _delete_all(world: World, namespace: str, kind: Kind, problems: list[str]) -> int:
    """Ask the objects of one kind to go, and give how many are still there after that.

    One that a webhook or a policy keeps from going must not keep the others.
    """
    found = (await world.client.list(kind, namespace)).items
    for obj in found:
        if meta.being_deleted(obj):
            continue
        try:
            await world.client.delete(kind, meta.name(obj), namespace, uid=meta.uid(obj))
        except errors.ApiError as failure:
            problems.append(f"{kind.resource} {meta.name(obj)!r}: {failure}")
    return len((await world.client.list(kind, namespace)).items) if found else 0


async def _say_what_remains(world: World, namespace: Object, left: dict[str, int], problems: list[str]) -> None:
    text = ", ".join(f"{resource} has {count} resource instances" for resource, count in sorted(left.items()))
    remain = f"Some resources are remaining: {text}"
    await _say(
        world,
        namespace,
        ("NamespaceContentRemaining", True, "SomeResourcesRemain", remain),
        _failed(problems) if problems else _DELETED,
        _DISCOVERED,
    )


def _failed(problems: list[str]) -> tuple[str, bool, str, str]:
    told = "; ".join(sorted(problems)[:_MOST_TOLD])
    text = f"Failed to delete all resource types, {len(problems)} remaining: {told}"
    return "NamespaceDeletionContentFailure", True, "ContentDeletionFailed", text


def _silent(served: discovery.Found) -> str:
    """Upstream's sentence: what a server that does not answer keeps in the namespace is not known."""
    each = ", ".join(f"{version}: {why}" for version, why in sorted(served.silent.items()))
    return (
        f"Discovery failed for some groups, {len(served.silent)} failing: unable to retrieve the complete list of "
        f"server APIs: {each}"
    )


async def _say(world: World, namespace: Object, *news: tuple[str, bool | None, str, str]) -> None:
    now = clock.timestamp(world.clock.now())
    said = (namespace.get("status") or {}).get("conditions")
    known = {each["type"] for each in said or ()}
    wanted = conditions.merged(said, now, *(one for one in news if one[1] or one[0] in known))
    if wanted != said:
        status = {"phase": "Terminating", "conditions": wanted}
        await world.client.patch_status(NAMESPACE, meta.name(namespace), None, status)
