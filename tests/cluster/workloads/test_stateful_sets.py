"""StatefulSets on the real API: names, order, claims, rollouts to a partition, and versions to go back to."""

from __future__ import annotations

from typing import Any

import pytest
from pretend_cluster import Here

from fairway.cluster.workloads import stateful_render
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CONTROLLER_REVISION, PERSISTENT_VOLUME_CLAIM, POD, STATEFUL_SET, Object


def stateful(image: str = "busybox:1", **spec: Any) -> Object:
    labels = {"app": "db"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    wanted = {"serviceName": "db", "selector": {"matchLabels": labels}, "template": pod, **spec}
    return STATEFUL_SET.new("db", "default", spec=wanted)


def ready(count: int) -> Any:
    return lambda obj: (obj.get("status") or {}).get("availableReplicas") == count


def images(pods: list[Object]) -> dict[str, str]:
    return {meta.name(pod): pod["spec"]["containers"][0]["image"] for pod in pods}


async def change(here: Here, **spec: Any) -> None:
    await here.client.patch(STATEFUL_SET, "db", "default", {"spec": spec})


async def test_pods_have_names_and_come_one_after_the_other(here: Here) -> None:
    here.node.behave = lambda pod: None
    await here.client.create(STATEFUL_SET, stateful(replicas=2))
    (first,) = await here.until_pods(lambda pods: len(pods) == 1)
    assert (meta.name(first), first["spec"]["hostname"], first["spec"]["subdomain"]) == ("db-0", "db-0", "db")
    assert meta.labels(first)["apps.kubernetes.io/pod-index"] == "0"
    await here.client.patch_status(POD, "db-0", "default", here.node.running())
    await here.until_pods(lambda pods: [meta.name(pod) for pod in pods] == ["db-0", "db-1"])


async def test_a_parallel_set_makes_all_at_once(here: Here) -> None:
    here.node.behave = lambda pod: None
    await here.client.create(STATEFUL_SET, stateful(replicas=3, podManagementPolicy="Parallel", ordinals={"start": 5}))
    await here.until_pods(lambda pods: [meta.name(pod) for pod in pods] == ["db-5", "db-6", "db-7"])


async def test_a_pod_that_comes_back_finds_its_claim(here: Here) -> None:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"metadata": {"name": "data"}, "spec": asked}
    wanted = stateful(volumeClaimTemplates=[claim])
    (container,) = wanted["spec"]["template"]["spec"]["containers"]
    container["volumeMounts"] = [{"name": "other", "mountPath": "/data"}]
    with pytest.raises(errors.Invalid, match='Not found: "other"'):
        await here.client.create(STATEFUL_SET, wanted)
    container["volumeMounts"][0]["name"] = "data"
    await here.client.create(STATEFUL_SET, wanted)
    (pod,) = await here.until_pods(lambda pods: len(pods) == 1)
    assert pod["spec"]["volumes"][0] == {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}
    before = await here.client.get(PERSISTENT_VOLUME_CLAIM, "data-db-0", "default")
    await here.client.delete(POD, "db-0", "default")
    await here.until(POD, "db-0", lambda found: meta.uid(found) != meta.uid(pod))
    assert meta.uid(await here.client.get(PERSISTENT_VOLUME_CLAIM, "data-db-0", "default")) == meta.uid(before)
    await change(here, replicas=0, persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete"})
    await here.until_gone(PERSISTENT_VOLUME_CLAIM, "data-db-0")


def with_claims(**spec: Any) -> Object:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return stateful(volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": asked}], **spec)


async def test_a_pod_that_is_wanted_again_before_it_went_keeps_its_claim(here: Here) -> None:
    wanted = with_claims(replicas=3, persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete"})
    wanted["spec"]["template"]["metadata"]["finalizers"] = ["example.com/slow"]
    await here.client.create(STATEFUL_SET, wanted)
    await here.until(STATEFUL_SET, "db", ready(3))
    await change(here, replicas=1)
    await here.until(POD, "db-2", meta.being_deleted)
    await here.until(PERSISTENT_VOLUME_CLAIM, "data-db-1", lambda claim: claim["metadata"].get("ownerReferences"))
    await change(here, replicas=2)
    claim = await here.until(
        PERSISTENT_VOLUME_CLAIM, "data-db-1", lambda claim: not claim["metadata"].get("ownerReferences")
    )
    assert not meta.being_deleted(claim)
    await here.client.patch(POD, "db-2", "default", {"metadata": {"finalizers": None}})
    await here.until_gone(PERSISTENT_VOLUME_CLAIM, "data-db-2")
    assert meta.uid(await here.client.get(PERSISTENT_VOLUME_CLAIM, "data-db-1", "default")) == meta.uid(claim)


async def test_claims_go_with_the_set_only_if_it_says_so_at_its_end(here: Here) -> None:
    await here.client.create(STATEFUL_SET, with_claims(persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"}))
    await here.until(PERSISTENT_VOLUME_CLAIM, "data-db-0", lambda claim: claim["metadata"].get("ownerReferences"))
    await change(here, persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain"})
    await here.until(PERSISTENT_VOLUME_CLAIM, "data-db-0", lambda claim: not claim["metadata"].get("ownerReferences"))


async def test_a_set_that_comes_back_takes_the_pods_that_it_left_behind(here: Here) -> None:
    await here.client.create(STATEFUL_SET, stateful(replicas=2))
    await here.until(STATEFUL_SET, "db", ready(2))
    before = {meta.uid(pod) for pod in await here.pods()}
    await here.client.delete(STATEFUL_SET, "db", "default", propagation="Orphan")
    await here.until_gone(STATEFUL_SET, "db")
    again = await here.client.create(STATEFUL_SET, stateful(replicas=2))
    taken = await here.until_pods(lambda pods: all(meta.owned_by(pod, again) for pod in pods))
    assert {meta.uid(pod) for pod in taken} == before
    (revision,) = (await here.client.list(CONTROLLER_REVISION, "default")).items
    assert meta.owned_by(revision, again)


async def test_a_stranger_of_a_pods_name_is_told_of_and_waited_for(here: Here) -> None:
    stranger = POD.new("db-0", "default", spec={"containers": [{"name": "main", "image": "busybox"}]})
    await here.client.create(POD, stranger)
    made = await here.client.create(STATEFUL_SET, stateful())
    assert "already exists" in (await here.first_event_of("db"))["message"]
    await here.client.delete(POD, "db-0", "default")
    await here.until(POD, "db-0", lambda pod: meta.owned_by(pod, made))


async def test_it_shrinks_from_the_highest_ordinal(here: Here) -> None:
    await here.client.create(STATEFUL_SET, stateful(replicas=3))
    await here.until(STATEFUL_SET, "db", ready(3))
    await change(here, replicas=1)
    await here.until_pods(lambda pods: [meta.name(pod) for pod in pods] == ["db-0"])


async def test_a_new_version_goes_down_to_the_partition_and_a_pod_above_it_comes_back_as_it_was(here: Here) -> None:
    await here.client.create(STATEFUL_SET, stateful(replicas=3))
    await here.until(STATEFUL_SET, "db", ready(3))
    new = stateful("busybox:2")["spec"]["template"]
    await change(here, template=new, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    halfway = await here.until_pods(lambda pods: images(pods).get("db-2") == "busybox:2" and len(pods) == 3)
    assert images(halfway)["db-0"] == "busybox:1"
    await here.client.delete(POD, "db-0", "default")
    gone = next(pod for pod in halfway if meta.name(pod) == "db-0")
    again = await here.until(POD, "db-0", lambda pod: meta.uid(pod) != meta.uid(gone))
    assert images([again]) == {"db-0": "busybox:1"}
    await change(here, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    await here.until_pods(lambda pods: set(images(pods).values()) == {"busybox:2"} and len(pods) == 3)
    await here.until(
        STATEFUL_SET, "db", lambda obj: obj["status"]["currentRevision"] == obj["status"]["updateRevision"]
    )
    known = (await here.client.list(CONTROLLER_REVISION, "default")).items
    assert sorted(one["revision"] for one in known) == [1, 2]


async def test_a_broken_version_does_not_hold_up_the_next_one(here: Here) -> None:
    here.node.behave = lambda pod: None if images([pod])[meta.name(pod)] == "broken" else here.node.running()
    await here.client.create(STATEFUL_SET, stateful("broken", replicas=2))
    await here.until_pods(lambda pods: len(pods) == 1)
    await change(here, template=stateful("busybox:2")["spec"]["template"])
    await here.until(STATEFUL_SET, "db", ready(2))


async def test_what_may_not_change_is_refused(here: Here) -> None:
    await here.client.create(STATEFUL_SET, stateful())
    with pytest.raises(errors.Invalid, match="updates to statefulset spec for fields other than 'replicas'"):
        await change(here, serviceName="other")
    with pytest.raises(errors.Invalid, match="podManagementPolicy"):
        wrong = stateful(podManagementPolicy="Backwards")
        wrong["metadata"]["name"] = "wrong"
        await here.client.create(STATEFUL_SET, wrong)


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_a_set_of_any_size_is_begun_with_a_few_hundred_pods(policy: str) -> None:
    huge = stateful(replicas=2**31 - 1, podManagementPolicy=policy)
    huge["metadata"]["uid"] = "a-uid"
    begun = stateful_render.decide(huge, [], [], "new", 0.0).create
    assert len(begun) == (500 if policy == "Parallel" else 1)
    ready = [
        {**pod, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}} for pod in begun
    ]
    after = stateful_render.decide(huge, ready, [], "newer", 0.0)
    assert meta.name(after.create[0]) == f"db-{len(begun)}"


@pytest.mark.parametrize(("share", "replaced"), [("50%", ["db-2"]), ("70%", ["db-2", "db-1"]), ("1%", ["db-2"])])
def test_a_share_that_may_be_away_is_rounded_down_and_one_may_always(share: str, replaced: list[str]) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": share}}
    obj = stateful(replicas=3, podManagementPolicy="Parallel", updateStrategy=strategy)
    obj["metadata"]["uid"] = "a-uid"
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    old = [{**pod, "status": running} for pod in stateful_render.decide(obj, [], [], "old", 0.0).create]
    assert [meta.name(pod) for pod in stateful_render.decide(obj, old, [], "new", 0.0).delete] == replaced
