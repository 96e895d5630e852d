"""The unmodified `lightkube` package against a cluster: every patch, collections, logs, commands, custom kinds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from tests.clients.house import House, pod

lightkube: Any = pytest.importorskip("lightkube", reason="the lightkube package is not installed")

from lightkube import ApiError, AsyncClient, Client, KubeConfig  # noqa: E402
from lightkube.codecs import load_all_yaml  # noqa: E402
from lightkube.generic_resource import create_namespaced_resource  # noqa: E402
from lightkube.models.core_v1 import ServicePort, ServiceSpec  # noqa: E402
from lightkube.models.meta_v1 import ObjectMeta  # noqa: E402
from lightkube.resources.apps_v1 import Deployment  # noqa: E402
from lightkube.resources.core_v1 import ConfigMap, Node, Pod, Service  # noqa: E402
from lightkube.types import PatchType  # noqa: E402

# It leaves connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.NAMESPACE.example.dev}
spec:
  group: NAMESPACE.example.dev
  scope: Namespaced
  names: {plural: boats, kind: Boat}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {sails: {type: integer}}}}}}
"""


@pytest.fixture
def config(shared_house: House) -> Any:
    return KubeConfig.from_file(shared_house.kubeconfig)


@pytest.fixture
def client(config: Any, namespace: str) -> Iterator[Any]:
    client = Client(config=config, namespace=namespace, field_manager="lightkube")
    yield client
    client._client._client.close()


def test_every_patch_does_what_its_type_says(client: Any) -> None:
    ports = [ServicePort(name="a", port=80, targetPort=8080)]
    client.create(Service(metadata=ObjectMeta(name="s"), spec=ServiceSpec(ports=ports, selector={"app": "x"})))
    more = {"spec": {"ports": [{"name": "b", "port": 81, "targetPort": 8081}]}}
    merged = client.patch(Service, "s", more)
    assert {port.name for port in merged.spec.ports} == {"a", "b"}
    replaced = client.patch(Service, "s", more, patch_type=PatchType.MERGE)
    assert [port.name for port in replaced.spec.ports] == ["b"]
    added = [{"op": "add", "path": "/spec/ports/-", "value": {"name": "c", "port": 82}}]
    assert client.patch(Service, "s", added, patch_type=PatchType.JSON).spec.ports[1].targetPort == 82
    config = ConfigMap(apiVersion="v1", kind="ConfigMap", metadata=ObjectMeta(name="c"), data={"one": "1", "two": "2"})
    assert client.apply(config).data == {"one": "1", "two": "2"}
    config.data = {"two": "3"}
    assert client.apply(config).data == {"two": "3"}
    with pytest.raises(ApiError) as caught:
        config.data = {"two": "4"}
        client.apply(config, field_manager="other")
    assert (caught.value.status.code, caught.value.status.reason) == (409, "Conflict")


def test_collections_go_at_once_and_errors_are_told(client: Any, namespace: str) -> None:
    for name in ("a", "b"):
        client.create(ConfigMap(metadata=ObjectMeta(name=name, labels={"set": name})))
    assert [one.metadata.name for one in client.list(ConfigMap, labels={"set": ["a", "c"]})] == ["a"]
    assert {one.metadata.name for one in client.list(ConfigMap, namespace="*")} >= {"a", "b"}
    client.deletecollection(ConfigMap)
    assert not {"a", "b"} & {one.metadata.name for one in client.list(ConfigMap)}
    client.create(ConfigMap(metadata=ObjectMeta(name="b")))
    with pytest.raises(ApiError) as caught:
        client.create(ConfigMap(metadata=ObjectMeta(name="b")))
    assert (caught.value.status.code, caught.value.status.reason) == (409, "AlreadyExists")
    with pytest.raises(ApiError) as caught:
        client.get(ConfigMap, "missing")
    assert (caught.value.status.code, caught.value.status.details.name) == (404, "missing")


async def test_a_pod_is_waited_for_followed_and_spoken_to(config: Any, namespace: str) -> None:
    # Not by the blocking client: a thread of its WebSocket outlives it, and reads from whoever gets its number.
    client = AsyncClient(config=config, namespace=namespace)
    await client.create(Pod.from_dict(pod("p", "echo one; echo two; sleep 300")))
    await client.wait(Pod, "p", for_conditions=["Ready"])
    async with aclosing(client.log("p", follow=True)) as lines:
        assert [await anext(lines), await anext(lines)] == ["one\n", "two\n"]
    command = ["sh", "-c", "cat; echo err >&2"]
    said = await client.exec("p", command=command, stdin="heard", stdout=True, stderr=True)
    assert (said.stdout, said.stderr, said.exit_code) == ("heard", "err\n", 0)
    failed = await client.exec("p", command=["sh", "-c", "exit 3"], stdout=True, raise_on_error=False)
    assert failed.exit_code == 3
    await client.delete(Pod, "p")
    await client.close()


async def test_a_deployment_becomes_available(config: Any, namespace: str) -> None:
    client = AsyncClient(config=config, namespace=namespace)
    spec = pod("", "sleep 300")["spec"] | {"restartPolicy": "Always"}
    template = {"metadata": {"labels": {"app": "x"}}, "spec": spec}
    wanted = {"replicas": 1, "selector": {"matchLabels": {"app": "x"}}, "template": template}
    await client.create(Deployment.from_dict({"metadata": {"name": "d"}, "spec": wanted}))
    await client.wait(Deployment, "d", for_conditions=["Available"])
    assert (await client.get(Deployment.Scale, "d")).status.replicas == 1
    assert [node.metadata.labels["kubernetes.io/os"] async for node in client.list(Node)] == ["linux"]
    await client.delete(Deployment, "d")
    await client.close()


def test_custom_kinds_are_used_once_they_are_established(client: Any, namespace: str) -> None:
    definition = next(iter(load_all_yaml(CRD.replace("NAMESPACE", namespace))))
    client.create(definition)
    client.wait(type(definition), definition.metadata.name, for_conditions=["Established"])
    boat = create_namespaced_resource(f"{namespace}.example.dev", "v1", "Boat", "boats")
    client.create(boat(metadata={"name": "b"}, spec={"sails": 2}))
    assert client.get(boat, "b").spec == {"sails": 2}
    for event, found in client.watch(boat):
        assert (event, found.metadata.name) == ("ADDED", "b")
        break
    client.delete(type(definition), definition.metadata.name)
