"""Claims get the volumes that are as they ask; volumes are reclaimed as their makers say."""

from __future__ import annotations

from typing import Any

import pytest
from pretend_cluster import Here

from fairway.cluster.workloads.volumes import claims, lives
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, Object


def volume(name: str, size: str = "1Gi", **spec: Any) -> Object:
    labels = spec.pop("labels", {})
    given = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}, **spec}
    made = PERSISTENT_VOLUME.new(name, None, metadata={"uid": f"{name}-uid", "labels": labels}, spec=given)
    return {**made, "status": {"phase": "Available"}}


def claim(name: str = "data", size: str = "1Gi", **spec: Any) -> Object:
    given = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    return PERSISTENT_VOLUME_CLAIM.new(name, "default", metadata={"uid": f"{name}-uid"}, spec=given)


def phase(wanted: str) -> Any:
    return lambda one: (one.get("status") or {}).get("phase") == wanted


MINE = {"claimRef": {"namespace": "default", "name": "data"}}
OTHERS = {"claimRef": {"namespace": "default", "name": "other", "uid": "x"}}


@pytest.mark.parametrize(
    ("wanted", "volumes", "chosen"),
    [
        (claim(), [volume("big", "9Gi"), volume("small", "2Gi")], "small"),
        (claim(size="5Gi"), [volume("small", "2Gi")], None),
        (claim(), [volume("taken", **OTHERS)], None),
        (claim(), [volume("free"), volume("meant", "9Gi", **MINE)], "meant"),
        (claim(volumeName="named"), [volume("free"), volume("named")], "named"),
        (claim(volumeName="named"), [volume("free")], None),
        (claim(accessModes=["ReadWriteMany"]), [volume("once")], None),
        (claim(accessModes=["ReadWriteMany"]), [volume("many", accessModes=["ReadWriteMany"])], "many"),
        (claim(storageClassName="fast"), [volume("plain")], None),
        (claim(storageClassName="fast"), [volume("fast", storageClassName="fast")], "fast"),
        (claim(selector={"matchLabels": {"disk": "a"}}), [volume("b", labels={"disk": "b"})], None),
        (claim(selector={"matchLabels": {"disk": "a"}}), [volume("a", labels={"disk": "a"})], "a"),
        (claim(), [{**volume("used"), "status": {"phase": "Released"}}], None),
    ],
)
def test_a_claim_gets_the_smallest_volume_that_fits(wanted: Object, volumes: list[Object], chosen: str | None) -> None:
    found = claims.choose(wanted, volumes)
    assert (meta.name(found) if found else None) == chosen


@pytest.mark.parametrize(
    ("policy", "by", "claimed", "phase", "delete"),
    [
        ("Retain", "", True, "Bound", False),
        ("Retain", "", False, "Released", False),
        ("Delete", lives.PROVISIONER, False, "Released", True),
        ("Delete", "", False, "Failed", False),
        ("Recycle", "", False, "Failed", False),
    ],
)
def test_what_becomes_of_a_volume(policy: str, by: str, claimed: bool, phase: str, delete: bool) -> None:
    used = volume("v", persistentVolumeReclaimPolicy=policy, claimRef={**MINE["claimRef"], "uid": "data-uid"})
    used["metadata"]["annotations"] = {lives.PROVISIONED_BY: by}
    verdict = lives.decide(used, claim() if claimed else None)
    assert (verdict.phase, verdict.delete) == (phase, delete)


async def test_a_volume_is_bound_and_released(here: Here) -> None:
    by_hand = {"storageClassName": ""}  # no class, where there is a default one
    await here.client.create(PERSISTENT_VOLUME_CLAIM, claim(**by_hand))
    await here.client.create(PERSISTENT_VOLUME, volume("disk", "5Gi"))
    bound = await here.until(PERSISTENT_VOLUME_CLAIM, "data", phase("Bound"))
    assert bound["spec"]["volumeName"] == "disk" and bound["status"]["capacity"] == {"storage": "5Gi"}
    assert meta.annotations(bound)["pv.kubernetes.io/bind-completed"] == "yes"
    taken = await here.until(PERSISTENT_VOLUME, "disk", phase("Bound"), None)
    assert taken["spec"]["claimRef"]["uid"] == meta.uid(bound)
    await here.client.create(PERSISTENT_VOLUME_CLAIM, claim("second", **by_hand))
    await here.client.delete(PERSISTENT_VOLUME_CLAIM, "data", "default")
    await here.until(PERSISTENT_VOLUME, "disk", phase("Released"), None)
    assert (await here.client.get(PERSISTENT_VOLUME_CLAIM, "second", "default"))["status"]["phase"] == "Pending"
    await here.client.patch(PERSISTENT_VOLUME, "disk", None, {"spec": {"claimRef": None}})
    await here.until(PERSISTENT_VOLUME_CLAIM, "second", phase("Bound"))


async def test_a_volume_that_was_made_for_a_claim_goes_with_it(here: Here) -> None:
    made = await here.client.create(PERSISTENT_VOLUME_CLAIM, claim())
    reference = {**MINE["claimRef"], "uid": meta.uid(made)}
    provided = volume("pvc-1", persistentVolumeReclaimPolicy="Delete", claimRef=reference)
    provided["metadata"]["annotations"] = {lives.PROVISIONED_BY: lives.PROVISIONER}
    await here.client.create(PERSISTENT_VOLUME, provided)
    await here.until(PERSISTENT_VOLUME_CLAIM, "data", phase("Bound"))
    await here.until(PERSISTENT_VOLUME, "pvc-1", phase("Bound"), None)
    await here.client.delete(PERSISTENT_VOLUME_CLAIM, "data", "default")
    await here.until_gone(PERSISTENT_VOLUME, "pvc-1", None)


async def test_a_claim_cannot_be_resized_or_changed(here: Here) -> None:
    await here.client.create(PERSISTENT_VOLUME_CLAIM, claim())
    with pytest.raises(errors.Invalid, match="cannot be resized"):
        bigger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        await here.client.patch(PERSISTENT_VOLUME_CLAIM, "data", "default", bigger)
    with pytest.raises(errors.Invalid, match="spec is immutable after creation"):
        await here.client.patch(PERSISTENT_VOLUME_CLAIM, "data", "default", {"spec": {"accessModes": ["ReadOnlyMany"]}})
    with pytest.raises(errors.Invalid, match=r"spec\.capacity: Required value"):
        await here.client.create(PERSISTENT_VOLUME, PERSISTENT_VOLUME.new("v", spec={"accessModes": ["ReadWriteOnce"]}))
