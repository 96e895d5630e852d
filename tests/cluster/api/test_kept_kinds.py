"""Kinds that are kept for the tools that write them, with upstream's defaults and rules."""

from __future__ import annotations

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import (
    CSI_DRIVER,
    HORIZONTAL_POD_AUTOSCALER,
    INGRESS,
    NETWORK_POLICY,
    POD_TEMPLATE,
    REPLICATION_CONTROLLER,
    RUNTIME_CLASS,
)
from tests.cluster.api.world import World

POD_SPEC = {"containers": [{"name": "c", "image": "nginx"}]}


@pytest.fixture
def client(world: World) -> Client:
    return Client(world.server.transport(Identity("admin", ("system:masters",))))


async def test_a_replication_controller_takes_its_templates_labels(client: Client) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": POD_SPEC}
    made = await client.create(
        REPLICATION_CONTROLLER, REPLICATION_CONTROLLER.new("rc", "default", spec={"template": template})
    )
    assert made["spec"]["selector"] == made["metadata"]["labels"] == {"app": "web"}
    assert (made["spec"]["replicas"], made["status"]["replicas"]) == (1, 0)
    scale = await client.transport.request("GET", REPLICATION_CONTROLLER.path("default", "rc", "scale"))
    assert scale["status"]["selector"] == "app=web"
    other = {"template": template, "selector": {"app": "other"}}
    with pytest.raises(errors.Invalid, match="does not match template"):
        await client.create(REPLICATION_CONTROLLER, REPLICATION_CONTROLLER.new("no", "default", spec=other))


async def test_a_pod_template_gets_what_pods_get(client: Client) -> None:
    made = await client.create(POD_TEMPLATE, POD_TEMPLATE.new("t", "default", template={"spec": POD_SPEC}))
    assert made["template"]["spec"]["restartPolicy"] == "Always"
    with pytest.raises(errors.Invalid, match=r"template\.spec\.containers"):
        await client.create(POD_TEMPLATE, POD_TEMPLATE.new("no", "default", template={"spec": {}}))


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({}, "either `defaultBackend` or `rules` must be specified"),
        ({"rules": [{"http": {"paths": [{"path": "/"}]}}]}, r"pathType: Required value"),
        (
            {"rules": [{"http": {"paths": [{"path": "x", "pathType": "Prefix", "backend": {}}]}}]},
            "must be an absolute path",
        ),
        ({"defaultBackend": {"service": {"name": "web"}}}, "port name or number is required"),
    ],
)
async def test_an_ingress_says_where_it_leads(client: Client, spec: dict[str, object], text: str) -> None:
    with pytest.raises(errors.Invalid, match=text):
        await client.create(INGRESS, INGRESS.new("i", "default", spec=spec))


async def test_a_policy_is_of_the_directions_that_it_has_rules_for(client: Client) -> None:
    egress = {"egress": [{"ports": [{"port": 53}]}]}
    made = await client.create(NETWORK_POLICY, NETWORK_POLICY.new("p", "default", spec=egress))
    assert made["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert made["spec"]["egress"][0]["ports"] == [{"port": 53, "protocol": "TCP"}]


async def test_classes_and_drivers(client: Client) -> None:
    with pytest.raises(errors.Invalid, match="handler"):
        await client.create(RUNTIME_CLASS, {"metadata": {"name": "r"}})
    made = await client.create(CSI_DRIVER, {"metadata": {"name": "d.example"}, "spec": {"podInfoOnMount": True}})
    assert made["spec"]["attachRequired"] is True
    assert made["spec"]["volumeLifecycleModes"] == ["Persistent"]


async def test_discovery_says_in_which_version_objects_are_kept(client: Client) -> None:
    listed = (await client.transport.request("GET", "/api/v1"))["resources"]
    found = {one["name"]: one.get("storageVersionHash") for one in listed}
    assert found["configmaps"] == "qFsyl6wFWjQ=", "upstream's own"
    assert found["pods/log"] is None


async def test_an_autoscaler_that_says_nothing_looks_at_the_processor(client: Client) -> None:
    target = {"scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}, "maxReplicas": 2}
    made = await client.create(HORIZONTAL_POD_AUTOSCALER, HORIZONTAL_POD_AUTOSCALER.new("h", "default", spec=target))
    (metric,) = made["spec"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    assert made["spec"]["minReplicas"] == 1
