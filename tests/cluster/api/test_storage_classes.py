"""Classes of storage: the one that is there, the one that claims get, and what protects what is used."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, STATEFUL_SET, STORAGE_CLASS, Object
from tests.cluster.api.world import World

DEFAULT = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}


@pytest.fixture
def client(world: World) -> Client:
    return Client(world.server.transport(Identity("admin", ("system:masters",))))


def claim(name: str, **spec: Any) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return PERSISTENT_VOLUME_CLAIM.new(name, "default", spec=spec)


async def test_there_is_one_class_and_claims_get_it(client: Client) -> None:
    (found,) = (await client.list(STORAGE_CLASS)).items
    assert (found["metadata"]["name"], found["provisioner"]) == ("local-path", "fairway.dev/local-path")
    assert (found["reclaimPolicy"], found["volumeBindingMode"]) == ("Delete", "WaitForFirstConsumer")
    made = await client.create(PERSISTENT_VOLUME_CLAIM, claim("a"))
    assert made["spec"]["storageClassName"] == "local-path"
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


async def test_a_claim_may_want_another_class_or_none(client: Client) -> None:
    for name, wanted in (("a", "mine"), ("b", "")):
        made = await client.create(PERSISTENT_VOLUME_CLAIM, claim(name, storageClassName=wanted))
        assert made["spec"]["storageClassName"] == wanted


async def test_without_a_default_class_a_claim_stays_without(client: Client) -> None:
    await client.patch(STORAGE_CLASS, "local-path", None, {"metadata": {"annotations": None}})
    made = await client.create(PERSISTENT_VOLUME_CLAIM, claim("a"))
    assert "storageClassName" not in made["spec"]


async def test_volumes_are_protected_too(client: Client) -> None:
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/somewhere"}}
    made = await client.create(PERSISTENT_VOLUME, PERSISTENT_VOLUME.new("v", spec=spec))
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]


async def test_a_class_stays_what_it_is(client: Client) -> None:
    made = await client.create(STORAGE_CLASS, STORAGE_CLASS.new("mine", provisioner="example.com/disks"))
    assert (made["reclaimPolicy"], made["volumeBindingMode"]) == ("Delete", "Immediate")
    for change, text in (
        ({"provisioner": "another"}, r"updates to provisioner are forbidden\."),
        ({"parameters": {"a": "b"}}, r"updates to parameters are forbidden\."),
        ({"reclaimPolicy": "Retain"}, r"updates to reclaimPolicy are forbidden\."),
        ({"volumeBindingMode": "WaitForFirstConsumer"}, "field is immutable"),
    ):
        with pytest.raises(errors.Invalid, match=text):
            await client.patch(STORAGE_CLASS, "mine", None, change)
    with pytest.raises(errors.Invalid, match="provisioner: Required value"):
        await client.create(STORAGE_CLASS, STORAGE_CLASS.new("empty"))


async def test_a_folder_of_this_machine_is_for_who_may_make_volumes(world: World, client: Client) -> None:
    """Its pods may be such that may not mount one themselves."""
    here = {"metadata": {"annotations": {"fairway.dev/host-path": "/etc"}}}
    template = {"spec": claim("data")["spec"], "metadata": {"name": "data", **here["metadata"]}}
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    sets = {"selector": {"matchLabels": {"a": "b"}}, "template": pod, "volumeClaimTemplates": [template]}
    worker = Client(world.server.transport(Identity("system:serviceaccount:default:worker")))
    await worker.create(PERSISTENT_VOLUME_CLAIM, claim("plain"))
    direct = PERSISTENT_VOLUME_CLAIM.new("direct", "default", spec=claim("direct")["spec"], **here)
    for attempt in (
        worker.create(PERSISTENT_VOLUME_CLAIM, direct),
        worker.patch(PERSISTENT_VOLUME_CLAIM, "plain", "default", here),
        worker.create(STATEFUL_SET, STATEFUL_SET.new("set", "default", spec=sets)),
    ):
        with pytest.raises(errors.Forbidden, match="which is for those who may create persistentvolumes"):
            await attempt
    await client.create(PERSISTENT_VOLUME_CLAIM, direct)
    assert await worker.patch(PERSISTENT_VOLUME_CLAIM, "direct", "default", {"metadata": {"labels": {"a": "b"}}})
