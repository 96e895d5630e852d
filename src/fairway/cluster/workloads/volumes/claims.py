"""Binding: a claim gets the smallest volume that is free and as it asks, or the one that it names.

Both sides are written, the volume first: whoever dies in between, the claimRef says for whom the volume is, and the
binding is finished later. `choose` is pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import meta, quantities, selectors, volume_claims
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
    return min(
        fitting, key=lambda one: (not volume_claims.claimed_by(claim, one), _size(one), meta.name(one)), default=None
    )


def _fits(claim: Object, volume: Object) -> bool:
    asked, offered = claim["spec"], volume["spec"]
    if meta.being_deleted(volume) or not volume_claims.free_for(claim, volume):
        return False
    if asked.get("volumeName") or volume_claims.claimed_by(claim, volume):
        return asked.get("volumeName") in (None, "", meta.name(volume))  # somebody has chosen already
    return (
        (volume.get("status") or {}).get("phase") == "Available"
        and (asked.get("storageClassName") or "") == (offered.get("storageClassName") or "")
        and set(asked.get("accessModes") or ()) <= set(offered.get("accessModes") or ())
        and asked.get("volumeMode", "Filesystem") == offered.get("volumeMode", "Filesystem")
        and _size(volume) >= quantities.parse(asked["resources"]["requests"]["storage"])
        and ("selector" not in asked or selectors.of_stored(asked["selector"])(meta.labels(volume)))
    )


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
    if (volume["spec"].get("claimRef") or {}).get("uid") != meta.uid(claim):
        as_it_was = {"resourceVersion": volume["metadata"]["resourceVersion"]}
        patch = {"metadata": as_it_was, "spec": {"claimRef": volume_claims.reference(claim)}}
        await world.client.patch(PERSISTENT_VOLUME, meta.name(volume), None, patch)
    bound = {"metadata": {"annotations": {BOUND: "yes"}}, "spec": {"volumeName": meta.name(volume)}}
    await world.client.patch(PERSISTENT_VOLUME_CLAIM, name, namespace, bound)
    status = {
        "phase": "Bound",
        "accessModes": volume["spec"].get("accessModes") or [],
        "capacity": volume["spec"].get("capacity") or {},
    }
    await world.client.patch_status(PERSISTENT_VOLUME_CLAIM, name, namespace, status)
