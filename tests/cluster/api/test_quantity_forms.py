"""Quantities of built-in kinds are kept in one form, however they come, so that an equal amount is no change."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fairway.cluster.api.documents import openapi
from fairway.kernel.client.client import Client
from fairway.kernel.client.transport import JSON_PATCH, MERGE_PATCH
from fairway.kernel.control import children
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    LIMIT_RANGE,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    RESOURCE_QUOTA,
    Kind,
    Object,
)
from tests.cluster.api.test_applying import APPLY, apply, owners
from tests.cluster.api.test_protobuf_bodies import envelope, field
from tests.cluster.api.world import WIDGET, World, define

STRATEGIC = "application/strategic-merge-patch+json"
WRITTEN = {"cpu": 0.5, "memory": "1024Mi", "example.dev/devices": 2}
KEPT = {"cpu": "500m", "memory": "1Gi", "example.dev/devices": "2"}


def spec(amounts: Object, **fields: Any) -> Object:
    return {"containers": [{"name": "c", "image": "busybox:1", "resources": {"limits": amounts}}], **fields}


def deployment(amounts: Object) -> Object:
    template = {"metadata": {"labels": {"app": "x"}}, "spec": spec(amounts)}
    return DEPLOYMENT.new("d", "default", spec={"selector": {"matchLabels": {"app": "x"}}, "template": template})


def limits(obj: Object) -> Object:
    pod = obj["spec"].get("template", obj)["spec"]
    found: Object = pod["containers"][0]["resources"]["limits"]
    return found


CASES: list[tuple[Kind, Object, tuple[str | int, ...], Any]] = [
    (POD, {"spec": spec(WRITTEN)}, ("spec", "containers", 0, "resources", "limits"), KEPT),
    (POD, {"spec": spec(WRITTEN)}, ("spec", "containers", 0, "resources", "requests"), KEPT),
    (POD, {"spec": spec({"cpu": None})}, ("spec", "containers", 0, "resources", "limits"), {"cpu": "0"}),
    (
        POD,
        {"spec": spec({}, volumes=[{"name": "v", "emptyDir": {"sizeLimit": "2048Ki"}}])},
        ("spec", "volumes", 0, "emptyDir", "sizeLimit"),
        "2Mi",
    ),
    (
        PERSISTENT_VOLUME_CLAIM,
        {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1.5Gi"}}}},
        ("spec", "resources", "requests", "storage"),
        "1536Mi",
    ),
    (RESOURCE_QUOTA, {"spec": {"hard": {"pods": 3, "cpu": "1000m"}}}, ("spec", "hard"), {"pods": "3", "cpu": "1"}),
    (
        LIMIT_RANGE,
        {"spec": {"limits": [{"type": "Container", "max": {"memory": "1024Mi"}}]}},
        ("spec", "limits", 0, "default", "memory"),
        "1Gi",
    ),
    (
        HORIZONTAL_POD_AUTOSCALER,
        {
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "d"},
                "maxReplicas": 3,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "0.5"}},
                    }
                ],
            }
        },
        ("spec", "metrics", 0, "resource", "target", "averageValue"),
        "500m",
    ),
]


@pytest.mark.parametrize(("kind", "fields", "path", "kept"), CASES, ids=[f"{c[0].kind} {c[2][-1]}" for c in CASES])
async def test_what_is_created_is_kept_in_its_form(
    client: Client, kind: Kind, fields: Object, path: tuple[str | int, ...], kept: Any
) -> None:
    value: Any = await client.create(kind, kind.new("x", "default", **fields))
    for step in path:
        value = value[step]
    assert value == kept


async def test_a_status_has_its_form_too(client: Client) -> None:
    node = await client.create(NODE, NODE.new("n", status={"capacity": {"cpu": 2, "memory": "1048576Ki"}}))
    assert node["status"]["capacity"] == {"cpu": "2", "memory": "1Gi"}
    after = await client.patch_status(NODE, "n", "", {"capacity": {"cpu": "2000m"}})
    assert after["metadata"]["resourceVersion"] == node["metadata"]["resourceVersion"]
    assert (await client.patch_status(NODE, "n", "", {"capacity": {"cpu": 3.5}}))["status"]["capacity"][
        "cpu"
    ] == "3500m"


async def test_protobuf_and_yaml_have_it(world: World, client: Client) -> None:
    entry = field(1, b"cpu") + field(2, field(1, b"0.5"))
    container = field(1, b"c") + field(2, b"busybox:1") + field(8, field(1, entry))
    body = envelope("v1", "Pod", field(1, field(1, b"p")) + field(2, field(2, container)))
    path = "/api/v1/namespaces/default/pods"
    headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    code, _, answer = await world.raw("POST", path, headers=headers, data=body)
    assert code == 201, answer
    assert limits(orjson.loads(answer)) == {"cpu": "500m"}
    text = b"metadata: {name: y}\nspec: {containers: [{name: c, image: 'busybox:1', resources: {limits: {cpu: 0.5}}}]}"
    code, _, answer = await world.raw("POST", path, headers={"Content-Type": "application/yaml"}, data=text)
    assert limits(orjson.loads(answer)) == {"cpu": "500m"}


@pytest.mark.parametrize(
    ("media", "patch"),
    [
        (MERGE_PATCH, {"spec": {"template": {"spec": spec(WRITTEN)}}}),
        (STRATEGIC, {"spec": {"template": {"spec": spec(WRITTEN)}}}),
        (
            JSON_PATCH,
            [
                {
                    "op": "replace",
                    "path": "/spec/template/spec/containers/0/resources/limits/memory",
                    "value": "1048576Ki",
                }
            ],
        ),
    ],
)
async def test_a_patch_with_an_equal_amount_changes_nothing(client: Client, media: str, patch: Any) -> None:
    made = await client.create(DEPLOYMENT, deployment(WRITTEN))
    if media == MERGE_PATCH:  # which replaces lists: then what was defaulted in them is defaulted again
        patch["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"] = WRITTEN
    path = DEPLOYMENT.path("default", "d")
    after = await client.transport.request("PATCH", path, body=patch, content_type=media)
    assert after["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert limits(after) == KEPT


async def test_a_put_with_an_equal_amount_changes_nothing(client: Client) -> None:
    made = await client.create(DEPLOYMENT, deployment(WRITTEN))
    again = await client.update(DEPLOYMENT, {**made, "spec": deployment(WRITTEN)["spec"]})
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_an_equal_amount_is_no_conflict_between_owners(client: Client) -> None:
    first = {"spec": deployment({"memory": "1024Mi"})["spec"]}
    made = await apply(client, DEPLOYMENT, "d", first, "one")
    again = await apply(client, DEPLOYMENT, "d", first, "one")
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    both = await apply(client, DEPLOYMENT, "d", {"spec": deployment({"memory": "1Gi"})["spec"]}, "two")
    assert owners(both)["one"] == owners(both)["two"]
    with pytest.raises(errors.Conflict, match="memory"):
        await apply(client, DEPLOYMENT, "d", {"spec": deployment({"memory": "2Gi"})["spec"]}, "two")


async def test_what_kubectl_applied_before_is_handed_over(client: Client) -> None:
    """From kubectl's client-side apply to its server-side one: what it wrote itself is no conflict."""
    wanted = deployment({"memory": "1024Mi"})
    last = {"kubectl.kubernetes.io/last-applied-configuration": orjson.dumps(wanted).decode()}
    made = {**wanted, "metadata": {**wanted["metadata"], "annotations": last}}
    query = {"fieldManager": "kubectl-client-side-apply"}
    await client.transport.request("POST", DEPLOYMENT.path("default"), query=query, body=made)
    after = await apply(client, DEPLOYMENT, "d", {"spec": deployment({"memory": "2Gi"})["spec"]}, "kubectl")
    assert limits(after) == {"memory": "2Gi"}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_is_malformed_cannot_be_read(client: Client, method: str) -> None:
    body = deployment({"cpu": "much"})
    path, query = DEPLOYMENT.path("default"), {"fieldManager": "me"}
    content = {"content_type": APPLY} if method == "PATCH" else {}
    with pytest.raises(errors.BadRequest) as refused:
        await client.transport.request(method, path + "/d" * (method == "PATCH"), query=query, body=body, **content)
    assert refused.value.message == (
        'Deployment in version "v1" cannot be handled as a Deployment: quantities must match the regular expression '
        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )


async def test_what_is_no_quantity_stays_as_it_was_written(client: Client) -> None:
    made = await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default", data={"limits": "1024Mi"}))
    assert made["data"] == {"limits": "1024Mi"}
    container = {**spec({})["containers"][0], "env": [{"name": "MEMORY", "value": "1024Mi"}]}
    pod = await client.create(POD, POD.new("p", "default", spec={"containers": [container]}))
    assert pod["spec"]["containers"][0]["env"] == [{"name": "MEMORY", "value": "1024Mi"}]


async def test_custom_resources_keep_what_was_written(client: Client) -> None:
    await define(client)
    widget = WIDGET.kind.new("w", "default", spec={"size": 1, "extra": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}})
    made = await client.create(WIDGET.kind, widget)
    assert made["spec"]["extra"] == {"limits": {"cpu": 0.5, "memory": "1024Mi"}}


async def test_what_a_controller_renders_settles(client: Client) -> None:
    """A child that says half a cpu in other words than the server is not written again."""
    owner = await client.create(CONFIG_MAP, CONFIG_MAP.new("owner", "default"))
    wanted = deployment({"cpu": 0.5, "memory": "1024Mi"})
    await children.apply(client, DEPLOYMENT, owner, [wanted], [])
    (made,) = (await client.list(DEPLOYMENT, "default")).items
    assert children.missing(made, wanted) == {}
    more = deployment({"cpu": 1, "memory": "1024Mi"})
    await children.apply(client, DEPLOYMENT, owner, [more], [made])
    assert limits(await client.get(DEPLOYMENT, "d", "default")) == {"cpu": "1", "memory": "1Gi"}
    assert meta.name(made) == "d"


def test_controllers_know_where_quantities_are() -> None:
    """The names in `children` are those of upstream's definitions, but for a metric's `value`."""
    maps, single = set(), set()  # a variable of an environment has a value, too
    for definition in openapi.definitions().values():
        for name, place in (definition.get("properties") or {}).items():
            if str(place.get("$ref")).endswith("resource.Quantity"):
                single.add(name)
            elif str((place.get("additionalProperties") or {}).get("$ref")).endswith("resource.Quantity"):
                maps.add(name)
    assert (maps, single - {"value"}) == (children.AMOUNTS, children.AMOUNT)
