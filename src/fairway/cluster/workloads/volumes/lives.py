"""How a PersistentVolume stands: Available, Bound, Released, Failed; and what is done with it when its claim has gone.

`decide` is pure. Before a volume is given up, the API is asked for its claim: a mirror may be behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, Object
from fairway.kernel.objects.meta import Key

PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
PROVISIONER = "fairway.dev/local-path"
"""Who made the volumes that the node makes for claims."""


@dataclass(frozen=True)
class Verdict:
    phase: str
    message: str = ""
    delete: bool = False


def controller() -> Controller:
    return Controller("volumes", PERSISTENT_VOLUME, _reconcile, watches=((PERSISTENT_VOLUME_CLAIM, volume_of),))


def volume_of(claim: Object) -> Iterable[Key]:
    """The volume of a claim, as the name of an object to look at."""
    if name := claim["spec"].get("volumeName"):
        yield "", name


def decide(volume: Object, claim: Object | None) -> Verdict:
    """`claim` is the one that the volume's claimRef names, if it exists."""
    reference = volume["spec"].get("claimRef")
    if not reference or not reference.get("uid"):
        return Verdict("Available")
    if claim is not None and meta.uid(claim) == reference["uid"]:
        return Verdict("Bound")
    policy = volume["spec"].get("persistentVolumeReclaimPolicy")
    if policy == "Retain":
        return Verdict("Released")
    if policy == "Delete" and meta.annotations(volume).get(PROVISIONED_BY) == PROVISIONER:
        return Verdict("Released", delete=True)
    text = (
        f"{policy} is not done with volumes that were made by hand: empty its folder, and remove spec.claimRef or the "
        "PersistentVolume"
    )
    return Verdict("Failed", text)


async def _reconcile(world: World, namespace: str, name: str) -> float | None:
    volume = world.mirror(PERSISTENT_VOLUME).get("", name)
    if volume is None or meta.being_deleted(volume):
        return None
    reference = volume["spec"].get("claimRef") or {}
    key = (reference.get("namespace", ""), reference.get("name", ""))
    claim = world.mirror(PERSISTENT_VOLUME_CLAIM).get(*key)
    verdict = decide(volume, claim)
    if verdict.phase in ("Released", "Failed"):
        verdict = decide(volume, await world.client.find(PERSISTENT_VOLUME_CLAIM, key[1], key[0]))
    if verdict.delete:
        await world.client.delete(PERSISTENT_VOLUME, name, None, uid=meta.uid(volume))
        return None
    said = volume.get("status") or {}
    if (said.get("phase"), said.get("message") or "") != (verdict.phase, verdict.message):
        status = {"phase": verdict.phase, "message": verdict.message or None}
        await world.client.patch_status(PERSISTENT_VOLUME, name, None, status)
    return None
