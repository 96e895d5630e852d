"""Claims and volumes that are used stay when they are deleted, until nobody uses them."""

from __future__ import annotations

from pretend_cluster import Here

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, POD, Object


def claim(name: str) -> Object:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "by-hand",
    }
    return PERSISTENT_VOLUME_CLAIM.new(name, "default", spec=spec)


def pod(name: str, claim: str) -> Object:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]
    return POD.new(name, "default", spec={"containers": [{"name": "c", "image": "busybox"}], "volumes": volumes})


async def test_a_claim_stays_while_a_pod_uses_it(here: Here) -> None:
    await here.client.create(PERSISTENT_VOLUME_CLAIM, claim("free"))
    await here.client.delete(PERSISTENT_VOLUME_CLAIM, "free", "default")
    await here.until_gone(PERSISTENT_VOLUME_CLAIM, "free")
    await here.client.create(PERSISTENT_VOLUME_CLAIM, claim("used"))
    await here.client.create(POD, pod("p", "used"))
    await here.client.delete(PERSISTENT_VOLUME_CLAIM, "used", "default")
    assert meta.being_deleted(await here.client.get(PERSISTENT_VOLUME_CLAIM, "used", "default"))
    await here.client.delete(POD, "p", "default")
    await here.until_gone(PERSISTENT_VOLUME_CLAIM, "used")


async def test_a_volume_stays_while_a_claim_has_it(here: Here) -> None:
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/somewhere"},
        "storageClassName": "by-hand",
        "persistentVolumeReclaimPolicy": "Retain",
    }
    await here.client.create(PERSISTENT_VOLUME, PERSISTENT_VOLUME.new("v", spec=spec))
    await here.client.create(PERSISTENT_VOLUME_CLAIM, claim("c"))
    await here.until(PERSISTENT_VOLUME_CLAIM, "c", lambda found: found["spec"].get("volumeName") == "v")
    await here.client.delete(PERSISTENT_VOLUME, "v")
    assert meta.being_deleted(await here.client.get(PERSISTENT_VOLUME, "v"))
    await here.client.delete(PERSISTENT_VOLUME_CLAIM, "c", "default")
    await here.until_gone(PERSISTENT_VOLUME, "v", None)
