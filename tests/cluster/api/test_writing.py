"""What happens to an object between the client's words and the store."""

from __future__ import annotations

import asyncio

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.client.transport import MERGE_PATCH
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import (
    CONFIG_MAP,
    CRD,
    DEPLOYMENT,
    LEASE,
    NAMESPACE,
    NODE,
    POD,
    SECRET,
    SERVICE,
    Kind,
    Object,
)
from tests.cluster.api.world import WIDGET, define, pod


async def test_creation_gives_the_server_its_part_of_metadata(client: Client) -> None:
    given = pod("web", uid="mine", generation=7, managedFields=[{}], labels={"app": "web"})
    given["status"] = {"phase": "Running"}
    made = await client.create(POD, given)
    metadata = made["metadata"]
    assert metadata["uid"] not in ("", "mine")
    assert metadata["generation"] == 1
    assert metadata["creationTimestamp"].endswith("Z")
    assert metadata.get("managedFields") != [{}]
    assert made["status"]["phase"] == "Pending"
    assert given["metadata"]["uid"] == "mine", "what a caller passes in is not changed"


async def test_names_are_generated_unique_or_refused(client: Client) -> None:
    nameless = CONFIG_MAP.new("", "default", metadata={"generateName": "c-", "name": ""})
    first, second = await client.create(CONFIG_MAP, nameless), await client.create(CONFIG_MAP, nameless)
    assert first["metadata"]["name"] != second["metadata"]["name"]
    with pytest.raises(errors.AlreadyExists, match='configmaps "c" already exists'):
        for _ in range(2):
            await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default"))
    with pytest.raises(errors.Invalid, match=r"metadata.name: Required value"):
        await client.create(CONFIG_MAP, CONFIG_MAP.new("", "default"))
    with pytest.raises(errors.Invalid, match=r'metadata.name: Invalid value: "Big"'):
        await client.create(CONFIG_MAP, CONFIG_MAP.new("Big", "default"))


async def test_objects_need_an_open_namespace(client: Client) -> None:
    with pytest.raises(errors.NotFound, match='namespaces "nowhere" not found'):
        await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "nowhere"))
    await client.create(NAMESPACE, NAMESPACE.new("closing"))
    assert await client.delete(NAMESPACE, "closing")
    assert (await client.get(NAMESPACE, "closing"))["status"]["phase"] == "Terminating"
    with pytest.raises(errors.Forbidden, match="because it is being terminated"):
        await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "closing"))
    closing = await client.get(NAMESPACE, "closing")
    await client.update(NAMESPACE, {**closing, "spec": {"finalizers": []}}, subresource="finalize")
    assert await client.find(NAMESPACE, "closing") is None


async def test_updates_need_the_newest_revision(client: Client) -> None:
    made = await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default", data={"a": "1"}))
    newer = await client.update(CONFIG_MAP, {**made, "data": {"a": "2"}})
    with pytest.raises(errors.Conflict, match="please apply your changes to the latest version and try again"):
        await client.update(CONFIG_MAP, {**made, "data": {"a": "3"}})
    with pytest.raises(errors.Conflict):
        await client.patch(CONFIG_MAP, "c", "default", {"metadata": made["metadata"], "data": {"a": "4"}})
    assert (await client.get(CONFIG_MAP, "c", "default"))["data"] == newer["data"]


async def test_patches_of_many_writers_all_hold(client: Client) -> None:
    await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default", data={}))
    await asyncio.gather(*(client.patch(CONFIG_MAP, "c", "default", {"data": {f"k{n}": "v"}}) for n in range(20)))
    assert len((await client.get(CONFIG_MAP, "c", "default"))["data"]) == 20


async def test_a_write_that_changes_nothing_is_none(client: Client) -> None:
    made = await client.create(DEPLOYMENT, _deployment())
    revision = made["metadata"]["resourceVersion"]
    # The client's own words, without the server's defaults, are the same object.
    again = _deployment()
    again["metadata"]["resourceVersion"] = revision
    assert (await client.update(DEPLOYMENT, again))["metadata"]["resourceVersion"] == revision
    patched = await client.patch(DEPLOYMENT, "web", "default", {"metadata": {"labels": {"app": "web"}}})
    assert patched["metadata"]["resourceVersion"] == revision
    status = await client.patch_status(DEPLOYMENT, "web", "default", {})
    assert (await client.patch_status(DEPLOYMENT, "web", "default", {}))["metadata"] == status["metadata"]


async def test_generation_counts_what_is_wanted(client: Client) -> None:
    await client.create(DEPLOYMENT, _deployment())
    labelled = await client.patch(DEPLOYMENT, "web", "default", {"metadata": {"labels": {"x": "y"}}})
    observed = await client.patch_status(DEPLOYMENT, "web", "default", {"observedGeneration": 1})
    scaled = await client.patch(DEPLOYMENT, "web", "default", {"spec": {"replicas": 3}})
    assert [each["metadata"]["generation"] for each in (labelled, observed, scaled)] == [1, 1, 2]
    assert scaled["status"] == {"observedGeneration": 1}


async def test_status_and_the_rest_are_written_apart(client: Client) -> None:
    await client.create(DEPLOYMENT, _deployment())
    patch = {"spec": {"replicas": 9}, "status": {"replicas": 4}}
    assert (await client.patch(DEPLOYMENT, "web", "default", patch))["status"] == {}
    await client.patch(DEPLOYMENT, "web", "default", {"spec": {"replicas": 1}})
    after = await client.patch(DEPLOYMENT, "web", "default", patch, subresource="status")
    assert (after["spec"]["replicas"], after["status"]) == (1, {"replicas": 4})


async def test_json_patches_say_where_they_fail(client: Client) -> None:
    made = await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default", data={"a": "1"}))
    moved = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "move", "from": "/data/a", "path": "/data/b"}]
    assert (await client.json_patch(CONFIG_MAP, "c", "default", moved))["data"] == {"b": "1"}
    stale = [{"op": "test", "path": "/metadata/resourceVersion", "value": made["metadata"]["resourceVersion"]}]
    with pytest.raises(errors.Invalid):
        await client.json_patch(CONFIG_MAP, "c", "default", stale)


async def test_strategic_patches_merge_lists_by_their_keys(client: Client) -> None:
    deployment = _deployment()
    deployment["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "pause"})
    await client.create(DEPLOYMENT, deployment)
    main = deployment["spec"]["template"]["spec"]["containers"][0]["name"]
    patch = {"spec": {"template": {"spec": {"containers": [{"name": main, "image": "other"}]}}}}
    patched = await _patched(client, "web", patch)
    containers = patched["spec"]["template"]["spec"]["containers"]
    assert [(one["name"], one["image"]) for one in containers] == [(main, "other"), ("side", "pause")]
    gone = {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}
    after = await _patched(client, "web", gone)
    assert [one["name"] for one in after["spec"]["template"]["spec"]["containers"]] == [main]
    assert (await _patched(client, "web", gone))["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


async def test_a_recreate_strategy_leaves_no_rolling_update_behind(client: Client) -> None:
    await client.create(DEPLOYMENT, _deployment())
    patched = await _patched(client, "web", {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}})
    assert patched["spec"]["strategy"] == {"type": "Recreate"}


async def test_strategic_patches_without_a_merge_key_are_refused(client: Client) -> None:
    await client.create(DEPLOYMENT, _deployment())
    patch = {"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}
    with pytest.raises(errors.BadRequest, match=r"spec.template.spec.containers: each element needs name"):
        await _patched(client, "web", patch)


async def _patched(client: Client, name: str, patch: Object) -> Object:
    kind = "application/strategic-merge-patch+json"
    answer = await client.transport.request("PATCH", DEPLOYMENT.path("default", name), body=patch, content_type=kind)
    return dict(answer)


async def test_patches_of_unknown_kinds_are_refused(client: Client) -> None:
    await client.create(DEPLOYMENT, _deployment())
    path = DEPLOYMENT.path("default", "web")
    with pytest.raises(errors.UnsupportedMediaType, match=r"accepted media types include.*strategic-merge-patch"):
        await client.transport.request("PATCH", path, body={}, content_type="application/json")


async def test_dry_runs_pass_every_check_and_store_nothing(client: Client) -> None:
    path, query = CONFIG_MAP.path("default"), {"dryRun": "All"}
    shown = await client.transport.request("POST", path, query=query, body=CONFIG_MAP.new("c", "default"))
    assert shown["metadata"]["uid"]
    assert await client.find(CONFIG_MAP, "c", "default") is None
    with pytest.raises(errors.Invalid):
        await client.transport.request("POST", path, query=query, body=CONFIG_MAP.new("Big", "default"))
    there = await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default"))
    changed = {**there, "data": {"a": "1"}}
    shown = await client.transport.request("PUT", CONFIG_MAP.path("default", "c"), query=query, body=changed)
    assert (shown["data"], shown["metadata"]["resourceVersion"]) == ({"a": "1"}, there["metadata"]["resourceVersion"])
    assert "data" not in await client.get(CONFIG_MAP, "c", "default")


async def test_a_lease_may_be_created_by_put(client: Client) -> None:
    lease = LEASE.new("leader", "default", spec={"holderIdentity": "me"})
    assert (await client.update(LEASE, lease))["metadata"]["uid"]
    with pytest.raises(errors.Invalid, match="must be specified for an update"):
        await client.update(LEASE, lease)


async def test_scale_reads_and_writes_replicas(client: Client) -> None:
    await client.create(DEPLOYMENT, _deployment())
    scale = await client.patch(DEPLOYMENT, "web", "default", {"spec": {"replicas": 5}}, subresource="scale")
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 5}, "app=web")
    assert (await client.get(DEPLOYMENT, "web", "default"))["spec"]["replicas"] == 5
    path, body = DEPLOYMENT.path("default", "web", "scale"), {"spec": {"replicas": 7}}
    tried = await client.transport.request("PATCH", path, query={"dryRun": "All"}, body=body, content_type=MERGE_PATCH)
    assert tried["spec"] == {"replicas": 7}
    assert (await client.get(DEPLOYMENT, "web", "default"))["spec"]["replicas"] == 5
    with pytest.raises(errors.Invalid, match=r"spec.replicas"):
        await client.patch(DEPLOYMENT, "web", "default", {"spec": {"replicas": -1}}, subresource="scale")


async def test_binding_is_final(client: Client) -> None:
    await client.create(POD, pod("p"))
    binding = {"target": {"kind": "Node", "name": "here"}}
    path = POD.path("default", "p", "binding")
    await client.transport.request("POST", path, body=binding)
    bound = await client.get(POD, "p", "default")
    assert bound["spec"]["nodeName"] == "here"
    assert [(c["type"], c["status"]) for c in bound["status"]["conditions"]] == [("PodScheduled", "True")]
    with pytest.raises(errors.Conflict, match="already assigned"):
        await client.transport.request("POST", path, body=binding)


async def test_services_get_addresses_of_their_own(client: Client) -> None:
    def service(name: str, **spec: object) -> dict[str, object]:
        return SERVICE.new(name, "default", spec={"ports": [{"port": 80}], **spec})

    first = (await client.create(SERVICE, service("a")))["spec"]["clusterIP"]
    second = (await client.create(SERVICE, service("b")))["spec"]["clusterIP"]
    assert first != second
    assert first.startswith("127.32.")
    assert (await client.create(SERVICE, service("c", clusterIP="None")))["spec"]["clusterIP"] == "None"
    with pytest.raises(errors.Invalid, match="provided IP is already allocated"):
        await client.create(SERVICE, service("d", clusterIP=first))
    with pytest.raises(errors.Invalid, match="not in the valid range"):
        await client.create(SERVICE, service("d", clusterIP="10.0.0.1"))
    kept = await client.patch(SERVICE, "a", "default", {"spec": {"clusterIP": None, "selector": {"x": "y"}}})
    assert kept["spec"]["clusterIP"] == first
    await client.delete(SERVICE, "a", "default")
    assert (await client.create(SERVICE, service("d", clusterIP=first)))["spec"]["clusterIP"] == first


async def test_kinds_not_served_say_what_to_do(client: Client) -> None:
    classes = Kind("resource.k8s.io", "v1", "DeviceClass", "deviceclasses", namespaced=False)
    with pytest.raises(errors.NotFound, match=r"dynamic resource allocation .* such as nvidia.com/gpu"):
        await client.create(classes, classes.new("gpus"))
    await client.create(POD, pod("p"))
    with pytest.raises(errors.MethodNotAllowed, match="ephemeral containers are not supported"):
        await client.transport.request("PATCH", POD.path("default", "p", "ephemeralcontainers"), body={})


async def test_ours_cannot_be_redefined(client: Client) -> None:
    definition = WIDGET.definition()
    definition["spec"]["group"] = "events.k8s.io"
    definition["metadata"]["name"] = "widgets.events.k8s.io"
    with pytest.raises(errors.Invalid, match="this server serves the group itself"):
        await client.create(CRD, definition)


async def test_a_body_of_another_kind_is_refused(client: Client) -> None:
    await define(client)
    wrong = WIDGET.kind.new("w", "default", spec={"size": 1}) | {"kind": "Gadget"}
    with pytest.raises(errors.BadRequest, match=r"cannot be handled as a .*: the kind in the data"):
        await client.create(WIDGET.kind, wrong)
    with pytest.raises(errors.BadRequest, match="namespace of the provided object does not match"):
        await client.create(WIDGET.kind, WIDGET.kind.new("w", "other", spec={"size": 1}), "default")


def _deployment() -> dict[str, object]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    return DEPLOYMENT.new("web", "default", spec=spec, metadata={"labels": {"app": "web"}})


async def test_revision_zero_is_any_revision(client: Client) -> None:
    made = await client.create(NODE, NODE.new("n", status={"capacity": {"cpu": "2"}}))
    assert made["status"] == {"capacity": {"cpu": "2"}}, "a node is registered with what it has"
    written = await client.update(NODE, NODE.new("n", metadata={"resourceVersion": "0", "annotations": {"a": "b"}}))
    assert written["metadata"]["annotations"] == {"a": "b"}


async def test_labels_that_are_no_labels_are_refused_in_upstreams_words(client: Client) -> None:
    await client.create(POD, pod("p"))
    with pytest.raises(errors.BadRequest, match="cannot restore map from string"):
        await client.patch(POD, "p", "default", {"metadata": {"labels": "invalid"}})


async def test_lines_of_a_secrets_value_are_put_together(client: Client) -> None:
    made = await client.create(SECRET, {"metadata": {"name": "s"}, "data": {"a": "aGVs\nbG8=\n"}}, namespace="default")
    assert made["data"] == {"a": "aGVsbG8="}
