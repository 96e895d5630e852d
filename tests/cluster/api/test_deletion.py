"""The end of objects: what keeps them, who may still change them, what others are told."""

from __future__ import annotations

import orjson
import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CONFIG_MAP, CRD, JOB, NAMESPACE, POD, SERVICE
from tests.cluster.api.world import WIDGET, World, define, pod, take


async def test_an_object_with_finalizers_stays_until_the_last_is_gone(client: Client) -> None:
    made = await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default", metadata={"finalizers": ["a.b/c", "a.b/d"]}))
    assert await client.delete(CONFIG_MAP, "c", "default")
    dying = await client.get(CONFIG_MAP, "c", "default")
    assert dying["metadata"]["deletionTimestamp"]
    again = await client.transport.request("DELETE", CONFIG_MAP.path("default", "c"))
    assert again["metadata"]["resourceVersion"] == dying["metadata"]["resourceVersion"]
    with pytest.raises(errors.Invalid, match="no new finalizers can be added"):
        await client.patch(CONFIG_MAP, "c", "default", {"metadata": {"finalizers": ["a.b/c", "x.y/z"]}})
    events = client.watch(CONFIG_MAP, since=dying["metadata"]["resourceVersion"])
    await client.patch(CONFIG_MAP, "c", "default", {"metadata": {"finalizers": ["a.b/d"]}})
    last = await client.patch(CONFIG_MAP, "c", "default", {"metadata": {"finalizers": None}})
    assert last["metadata"]["uid"] == made["metadata"]["uid"]
    assert [event.type for event in await take(events, 2)] == ["MODIFIED", "DELETED"]
    await events.aclose()
    assert await client.find(CONFIG_MAP, "c", "default") is None


@pytest.mark.parametrize(
    ("propagation", "kept_by"), [("Foreground", ["foregroundDeletion"]), ("Orphan", ["orphan"]), ("Background", None)]
)
async def test_propagation_is_a_finalizer_for_the_collector(
    client: Client, propagation: str, kept_by: list[str] | None
) -> None:
    await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default"))
    await client.delete(CONFIG_MAP, "c", "default", propagation=propagation)
    left = await client.find(CONFIG_MAP, "c", "default")
    assert (left and left["metadata"]["finalizers"]) == kept_by


async def test_jobs_are_orphaned_and_others_not_when_nothing_is_said(world: World) -> None:
    template = {"spec": {"containers": [{"name": "c", "image": "x"}], "restartPolicy": "Never"}}
    body = JOB.new("j", "default", spec={"template": template})
    headers = {"Content-Type": "application/json"}
    await world.raw("POST", JOB.path("default"), data=orjson.dumps(body), headers=headers)
    code, answer_headers, answer = await world.raw("DELETE", JOB.path("default", "j"))
    assert (code, orjson.loads(answer)["metadata"]["finalizers"]) == (200, ["orphan"])
    assert "child pods are preserved by default" in answer_headers["Warning"]


async def test_a_pod_on_a_node_is_given_its_time(client: Client) -> None:
    await client.create(POD, pod("waiting"))
    assert await client.delete(POD, "waiting", "default")
    assert await client.find(POD, "waiting", "default") is None, "nobody runs it, so it goes at once"

    await client.create(POD, pod("bound"))
    await client.transport.request("POST", POD.path("default", "bound", "binding"), body={"target": {"name": "n"}})
    await client.delete(POD, "bound", "default")
    dying = await client.get(POD, "bound", "default")
    assert dying["metadata"]["deletionGracePeriodSeconds"] == 30
    await client.delete(POD, "bound", "default", grace_seconds=5)
    assert (await client.get(POD, "bound", "default"))["metadata"]["deletionGracePeriodSeconds"] == 5
    await client.delete(POD, "bound", "default", grace_seconds=0)
    assert await client.find(POD, "bound", "default") is None


async def test_preconditions_protect_the_wrong_object(client: Client) -> None:
    await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default"))
    with pytest.raises(errors.Conflict, match="UID in precondition: other"):
        await client.delete(CONFIG_MAP, "c", "default", uid="other")
    assert await client.find(CONFIG_MAP, "c", "default")


async def test_of_some_kinds_what_is_gone_is_told_whole(client: Client) -> None:
    made = await client.create(SERVICE, SERVICE.new("s", "default", spec={"ports": [{"port": 80}]}))
    told = await client.transport.request("DELETE", SERVICE.path("default", "s"))
    assert (told["kind"], told["metadata"]["uid"]) == ("Service", made["metadata"]["uid"])


async def test_what_is_gone_is_told_with_name_and_uid(client: Client) -> None:
    made = await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default"))
    told = await client.transport.request("DELETE", CONFIG_MAP.path("default", "c"))
    assert (told["kind"], told["status"]) == ("Status", "Success")
    assert told["details"] == {"name": "c", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    with pytest.raises(errors.NotFound, match='configmaps "c" not found'):
        await client.transport.request("DELETE", CONFIG_MAP.path("default", "c"))


async def test_a_collection_goes_by_its_labels(client: Client) -> None:
    for name in ("a", "b", "c"):
        await client.create(CONFIG_MAP, CONFIG_MAP.new(name, "default", metadata={"labels": {"n": name}}))
    path = CONFIG_MAP.path("default")
    await client.transport.request("DELETE", path, query={"labelSelector": "n in (a,b)"})
    assert [item["metadata"]["name"] for item in (await client.list(CONFIG_MAP, "default")).items] == ["c"]


async def test_a_definition_takes_its_objects_along(client: Client) -> None:
    await define(client)
    await client.create(WIDGET.kind, WIDGET.kind.new("free", "default", spec={"size": 1}))
    held = WIDGET.kind.new("held", "default", spec={"size": 1}, metadata={"finalizers": ["a.b/c"]})
    await client.create(WIDGET.kind, held)
    await client.delete(CRD, WIDGET.kind.resource)
    assert await client.find(WIDGET.kind, "free", "default") is None
    assert (await client.get(CRD, WIDGET.kind.resource))["metadata"]["deletionTimestamp"]
    await client.patch(WIDGET.kind, "held", "default", {"metadata": {"finalizers": None}})
    assert await client.find(CRD, WIDGET.kind.resource) is None
    with pytest.raises(errors.NotFound, match="could not find the requested resource"):
        await client.list(WIDGET.kind)


async def test_the_first_namespaces_stay(client: Client) -> None:
    with pytest.raises(errors.Forbidden, match="may not be deleted"):
        await client.delete(NAMESPACE, "default")
    assert await client.find(NAMESPACE, "default")
