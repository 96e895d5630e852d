"""Binding: a claim gets the smallest volume that is free and as it asks, or the one that it names.

Both sides are written, the volume first: whoever dies in between, the claimRef says for whom the volume is, and the
binding is finished later. `choose` is pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import meta, quantities, selectors
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, Object
from fairway.kernel.objects.meta import Key

BOUND = "pv.kubernetes.io/bind-completed"


def controller() -> Controller:
    waiting = _Waiting()
    return Controller(
        "claims",
        PERSISTENT_VOLUME_CLAIM,
        waiting.reconcile,
        watches=((PERSISTENT_VOLUME, waiting.concerned),),
    )


def choose(claim: Object, volumes: Iterable[Object]) -> Object | None:
    """The volume that the claim should have; None where it has to wait."""
    fitting = [volume for volume in volumes if _fits(claim, volume)]
    return min(fitting, key=lambda one: (not _claimed_by(claim, one), _size(one), meta.name(one)), default=None)


def _fits(claim: Object, volume: Object) -> bool:
    asked, offered = claim["spec"], volume["spec"]
    if meta.being_deleted(volume) or not _free_for(claim, volume):
        return False
    if asked.get("volumeName") or _claimed_by(claim, volume):
        return asked.get("volumeName") in (None, "", meta.name(volume))  # somebody has chosen already
    return (
        (volume.get("status") or {}).get("phase") == "Available"
        and (asked.get("storageClassName") or "") == (offered.get("storageClassName") or "")
        and set(asked.get("accessModes") or ()) <= set(offered.get("accessModes") or ())
        and asked.get("volumeMode", "Filesystem") == offered.get("volumeMode", "Filesystem")
        and _size(volume) >= quantities.parse(asked["resources"]["requests"]["storage"])
        and ("selector" not in asked or selectors.of_stored(asked["selector"])(meta.labels(volume)))
    )


def _free_for(claim: Object, volume: Object) -> bool:
    return not volume["spec"].get("claimRef") or _claimed_by(claim, volume)


def _claimed_by(claim: Object, volume: Object) -> bool:
    """The volume is meant for this claim, by who made it or because a binding has begun."""
    reference = volume["spec"].get("claimRef") or {}
    named = (reference.get("namespace"), reference.get("name")) == meta.key(claim)
    return named and reference.get("uid") in (None, "", meta.uid(claim))


def _size(volume: Object) -> Decimal:
    return quantities.parse((volume["spec"].get("capacity") or {}).get("storage", "0"))


class _Waiting:
    """The claims that wait for a volume: a volume that comes or is freed concerns them all."""

    def __init__(self) -> None:
        self._keys: set[Key] = set()

    def concerned(self, volume: Object) -> Iterable[Key]:
        reference = volume["spec"].get("claimRef")
        return [(reference.get("namespace", ""), reference.get("name", ""))] if reference else list(self._keys)

    async def reconcile(self, world: World, namespace: str, name: str) -> float | None:
        claim = world.mirror(PERSISTENT_VOLUME_CLAIM).get(namespace, name)
        self._keys.discard((namespace, name))
        if claim is None or meta.being_deleted(claim) or _phase(claim) == "Bound":
            return None
        if _phase(claim) == "Lost":
            return None
        volume = choose(claim, world.mirror(PERSISTENT_VOLUME).all())
        if volume is not None:
            await _bind(world, claim, volume)
        elif BOUND in meta.annotations(claim):
            await world.client.patch_status(PERSISTENT_VOLUME_CLAIM, name, namespace, {"phase": "Lost"})
        else:
            self._keys.add((namespace, name))
        return None


def _phase(claim: Object) -> str:
    return str((claim.get("status") or {}).get("phase") or "Pending")


async def _bind(world: World, claim: Object, volume: Object) -> None:
    name, namespace = meta.name(claim), meta.namespace(claim)
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace,
        "name": name,
        "uid": meta.uid(claim),
    }
    if (volume["spec"].get("claimRef") or {}).get("uid") != meta.uid(claim):
        guarded = {"metadata": {"resourceVersion": volume["metadata"]["resourceVersion"]}}
        await world.client.patch(
            PERSISTENT_VOLUME, meta.name(volume), None, {**guarded, "spec": {"claimRef": reference}}
        )
    bound = {"metadata": {"annotations": {BOUND: "yes"}}, "spec": {"volumeName": meta.name(volume)}}
    await world.client.patch(PERSISTENT_VOLUME_CLAIM, name, namespace, bound)
    status = {
        "phase": "Bound",
        "accessModes": volume["spec"].get("accessModes") or [],
        "capacity": volume["spec"].get("capacity") or {},
    }
    await world.client.patch_status(PERSISTENT_VOLUME_CLAIM, name, namespace, status)
