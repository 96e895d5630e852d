"""Claims that pods use, and volumes that claims use, stay when they are deleted, until nobody uses them.

The API gives both a finalizer when they are created; here it is taken off from what is being deleted and not used.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.cluster.workloads import pods as of_pods
from fairway.cluster.workloads.volumes import lives
from fairway.kernel.control import finalizers
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, POD, Object
from fairway.kernel.objects.meta import Key

OF_CLAIMS, OF_VOLUMES = "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"


def controllers() -> tuple[Controller, ...]:
    return (
        Controller("claim-protection", PERSISTENT_VOLUME_CLAIM, _claim, watches=((POD, _claims_of),), workers=1),
        Controller(
            "volume-protection",
            PERSISTENT_VOLUME,
            _volume,
            watches=((PERSISTENT_VOLUME_CLAIM, lives.volume_of),),
            workers=1,
        ),
    )


def _claims_of(pod: Object) -> Iterable[Key]:
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if name := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
            yield meta.namespace(pod), name


async def _claim(world: World, namespace: str, name: str) -> float | None:
    claim = world.mirror(PERSISTENT_VOLUME_CLAIM).get(namespace, name)
    if claim is None or not meta.being_deleted(claim):
        return None
    if _used(world.mirror(POD).all(namespace), namespace, name):
        return None
    # The mirror may be behind.
    if not _used((await world.client.list(POD, namespace)).items, namespace, name):
        await finalizers.remove(world.client, PERSISTENT_VOLUME_CLAIM, claim, OF_CLAIMS)
    return None


def _used(pods: Iterable[Object], namespace: str, name: str) -> bool:
    return any((namespace, name) in _claims_of(pod) and not of_pods.over(pod) for pod in pods)


async def _volume(world: World, _: str, name: str) -> float | None:
    volume = world.mirror(PERSISTENT_VOLUME).get("", name)
    if volume is None or not meta.being_deleted(volume):
        return None
    if all(("", name) not in lives.volume_of(claim) for claim in world.mirror(PERSISTENT_VOLUME_CLAIM).all()):
        await finalizers.remove(world.client, PERSISTENT_VOLUME, volume, OF_VOLUMES)
    return None
