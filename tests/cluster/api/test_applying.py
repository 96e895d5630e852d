"""Server-side apply: who owns a field, what an owner takes away, and what it may not take from others."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CONFIG_MAP, DEPLOYMENT, Kind, Object
from tests.cluster.api.world import WIDGET, define

APPLY = "application/apply-patch+yaml"


async def apply(client: Client, kind: Kind, name: str, body: Object, manager: str = "me", **query: str) -> Object:
    body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, **body}
    query = {"fieldManager": manager, **query}
    path = kind.path("default", name)
    return await client.transport.request("PATCH", path, query=query, body=body, content_type=APPLY)


def owners(obj: Object) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields") or ()}


def deployment(**fields: Any) -> Object:
    container = {"name": "c", "image": "nginx:1", "ports": [{"containerPort": 80}]}
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    return {"spec": {"selector": {"matchLabels": {"app": "web"}}, "template": pod, **fields}}


async def test_the_first_apply_creates_and_owns_what_it_says(client: Client) -> None:
    made = await apply(client, DEPLOYMENT, "web", deployment(replicas=2))
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("me", "Apply", "apps/v1")
    spec = entry["fieldsV1"]["f:spec"]
    assert "f:strategy" not in spec  # a default is nobody's
    ports = spec["f:template"]["f:spec"]["f:containers"]['k:{"name":"c"}']["f:ports"]
    assert ports == {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}
    assert made["spec"]["strategy"]["type"] == "RollingUpdate"


async def test_what_an_owner_no_longer_says_goes(client: Client) -> None:
    await apply(
        client, CONFIG_MAP, "c", {"data": {"a": "1", "b": "2"}, "metadata": {"name": "c", "labels": {"x": "y"}}}
    )
    after = await apply(client, CONFIG_MAP, "c", {"data": {"b": "2"}})
    assert after["data"] == {"b": "2"}
    assert "labels" not in after["metadata"]


async def test_what_others_own_too_stays(client: Client) -> None:
    await apply(client, CONFIG_MAP, "c", {"data": {"a": "1", "b": "2"}}, "first")
    await apply(client, CONFIG_MAP, "c", {"data": {"b": "2", "c": "3"}}, "second")
    after = await apply(client, CONFIG_MAP, "c", {"data": {"a": "1"}}, "first")
    assert after["data"] == {"a": "1", "b": "2", "c": "3"}
    assert owners(after) == {"first": {"f:data": {"f:a": {}}}, "second": {"f:data": {"f:b": {}, "f:c": {}}}}


async def test_another_value_for_what_somebody_owns_is_a_conflict(client: Client) -> None:
    await apply(client, DEPLOYMENT, "web", deployment(replicas=2), "first")
    with pytest.raises(errors.Conflict, match=r'1 conflict: conflict with "first": \.spec\.replicas') as refused:
        await apply(client, DEPLOYMENT, "web", {"spec": {"replicas": 3}}, "second")
    (cause,) = refused.value.details["causes"]
    assert cause == {"reason": "FieldManagerConflict", "message": 'conflict with "first"', "field": ".spec.replicas"}
    taken = await apply(client, DEPLOYMENT, "web", {"spec": {"replicas": 3}}, "second", force="true")
    assert taken["spec"]["replicas"] == 3
    assert "f:replicas" not in owners(taken)["first"]["f:spec"]


async def test_an_update_takes_what_it_changes(client: Client) -> None:
    await apply(client, DEPLOYMENT, "web", deployment(replicas=2))
    query = {"fieldManager": "editor"}
    path = DEPLOYMENT.path("default", "web")
    merge = "application/merge-patch+json"
    edited = await client.transport.request(
        "PATCH", path, query=query, body={"spec": {"replicas": 5}}, content_type=merge
    )
    assert owners(edited)["editor"] == {"f:spec": {"f:replicas": {}}}
    with pytest.raises(errors.Conflict, match=r'conflict with "editor" using apps/v1: \.spec\.replicas'):
        await apply(client, DEPLOYMENT, "web", deployment(replicas=2))
    # Who does not say it any more leaves it to the other.
    assert (await apply(client, DEPLOYMENT, "web", deployment()))["spec"]["replicas"] == 5


async def test_who_scales_takes_the_number(client: Client) -> None:
    await apply(client, DEPLOYMENT, "web", deployment(replicas=2))
    path, merge = DEPLOYMENT.path("default", "web", "scale"), "application/merge-patch+json"
    await client.transport.request("PATCH", path, query={}, body={"spec": {"replicas": 5}}, content_type=merge)
    found = owners(await client.get(DEPLOYMENT, "web", "default"))
    assert "f:replicas" not in found["me"]["f:spec"]


async def test_the_same_apply_again_writes_nothing(client: Client) -> None:
    first = await apply(client, DEPLOYMENT, "web", deployment(replicas=2))
    again = await apply(client, DEPLOYMENT, "web", deployment(replicas=2))
    assert again["metadata"] == first["metadata"]


async def test_elements_of_keyed_lists_come_and_go_by_their_keys(client: Client) -> None:
    await apply(client, DEPLOYMENT, "web", deployment(), "first")
    side = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "pause"}]}}}}
    both = await apply(client, DEPLOYMENT, "web", side, "second")
    assert [one["name"] for one in both["spec"]["template"]["spec"]["containers"]] == ["c", "side"]
    alone = await apply(client, DEPLOYMENT, "web", {"spec": {}}, "second")
    assert [one["name"] for one in alone["spec"]["template"]["spec"]["containers"]] == ["c"]


async def test_an_object_that_nobody_applied_belongs_to_who_was_before(client: Client) -> None:
    await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default", data={"a": "1"}))
    with pytest.raises(errors.Conflict, match=r'conflict with "[^"]+" using v1: \.data\.a'):
        await apply(client, CONFIG_MAP, "c", {"data": {"a": "2"}})
    await apply(client, CONFIG_MAP, "c", {"data": {"a": "1"}})
    assert (await apply(client, CONFIG_MAP, "c", {"data": {"a": "2"}}, force="true"))["data"] == {"a": "2"}


async def test_custom_resources_and_their_status_are_applied_too(client: Client) -> None:
    await define(client)
    await apply(client, WIDGET.kind, "w", {"spec": {"size": 3}})
    path = WIDGET.kind.path("default", "w", "status")
    body = {
        "apiVersion": WIDGET.kind.api_version,
        "kind": WIDGET.kind.kind,
        "metadata": {"name": "w"},
        "status": {"phase": "Done"},
    }
    await client.transport.request("PATCH", path, query={"fieldManager": "c"}, body=body, content_type=APPLY)
    after = await apply(client, WIDGET.kind, "w", {"spec": {"size": 4}})
    assert (after["spec"], after["status"]) == ({"size": 4, "colour": "red"}, {"phase": "Done"})
    entries = {entry["manager"]: entry.get("subresource") for entry in after["metadata"]["managedFields"]}
    assert entries == {"me": None, "c": "status"}


async def test_a_reset_forgets_who_owns_what(client: Client) -> None:
    await apply(client, CONFIG_MAP, "c", {"data": {"a": "1"}})
    after = await client.patch(CONFIG_MAP, "c", "default", {"metadata": {"managedFields": [{}]}})
    assert "managedFields" not in after["metadata"]


async def test_a_client_may_write_the_owners_itself(client: Client) -> None:
    """As kubectl does when what it applied on its own side becomes the server's."""
    await apply(client, CONFIG_MAP, "c", {"data": {"a": "1", "b": "2"}}, "before")
    made = await client.get(CONFIG_MAP, "c", "default")
    (entry,) = made["metadata"]["managedFields"]
    handed = [{"op": "replace", "path": "/metadata/managedFields", "value": [{**entry, "manager": "me"}]}]
    await client.json_patch(CONFIG_MAP, "c", "default", handed)
    after = await apply(client, CONFIG_MAP, "c", {"data": {"a": "1"}})
    assert after["data"] == {"a": "1"}, "the other field has no owner any more"
    assert list(owners(after)) == ["me"]
    wrong = [{**handed[0], "value": [{**entry, "operation": "Guess"}]}]
    with pytest.raises(errors.Invalid, match=r"managedFields\[0\]\.operation"):
        await client.json_patch(CONFIG_MAP, "c", "default", wrong)


async def test_applies_that_cannot_be_are_refused(client: Client) -> None:
    with pytest.raises(errors.Invalid, match="fieldManager: Required value"):
        await apply(client, CONFIG_MAP, "c", {}, "")
    with pytest.raises(errors.BadRequest, match="managedFields must be nil"):
        await apply(client, CONFIG_MAP, "c", {"metadata": {"name": "c", "managedFields": [{"manager": "x"}]}})
    with pytest.raises(errors.BadRequest, match="does not match the name on the URL"):
        await apply(client, CONFIG_MAP, "c", {"metadata": {"name": "d"}})
    dry = await apply(client, CONFIG_MAP, "c", {"data": {"a": "1"}}, dryRun="All")
    assert dry["data"] == {"a": "1"}
    assert await client.find(CONFIG_MAP, "c", "default") is None
