"""The unmodified `kr8s` package against a cluster: pods, logs, commands, forwarded ports, waiting, who am I."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from fairway.up.owner import ADMIN
from tests.clients.house import House, pod

kr8s: Any = pytest.importorskip("kr8s", reason="the kr8s package is not installed")

from kr8s.asyncio.objects import ConfigMap, Deployment, Pod, new_class  # noqa: E402

# It leaves connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

SERVER = "python3 -m http.server 8000 --bind 0.0.0.0"


@pytest.fixture
async def api(shared_house: House, namespace: str) -> AsyncIterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it knows releases of Kubernetes up to its own
        api = await kr8s.asyncio.api(kubeconfig=str(shared_house.kubeconfig), namespace=namespace)
        api.namespace = namespace
        yield api


async def test_who_asks_and_what_is_served(api: Any) -> None:
    assert await api.whoami() == ADMIN.user
    assert (await api.version())["minor"]
    kinds = {one["kind"] async for one in _each(await api.api_resources())}
    assert {"Pod", "Deployment", "CustomResourceDefinition"} <= kinds


async def _each(values: Any) -> AsyncIterator[Any]:
    for value in values:
        yield value


async def test_objects_are_made_changed_labelled_and_listed_in_pages(api: Any, namespace: str) -> None:
    made = [await ConfigMap({"metadata": {"name": f"c{n}", "namespace": namespace}}, api=api) for n in range(3)]
    for one in made:
        await one.create()
    await made[0].label(picked="yes")
    await made[0].patch({"data": {"a": "1"}})
    await made[0].refresh()
    assert made[0].data == {"a": "1"}
    found = [one.name async for one in api.get("configmaps", namespace=namespace, label_selector="picked=yes")]
    assert found == ["c0"]
    named = [one.name async for one in api.get("configmaps", "c1", namespace=namespace)]
    assert named == ["c1"]
    await made[0].delete()
    await made[0].wait("delete", timeout=60)
    assert not await made[0].exists()


async def test_a_pod_is_waited_for_read_spoken_to_and_reached(api: Any, namespace: str) -> None:
    wanted = pod("p", f"echo ready; exec {SERVER}", namespace=namespace)
    wanted["spec"]["containers"][0] |= {"image": "python:3.11", "ports": [{"containerPort": 8000}]}
    one = await Pod(wanted, api=api)
    await one.create()
    await one.wait("condition=Ready", timeout=60)
    assert await one.ready()
    async for line in one.logs(follow=True):
        assert line == "ready"
        break
    said = await one.exec(["sh", "-c", "echo said; echo err >&2; exit 3"], check=False)
    assert (said.stdout, said.stderr, said.returncode) == (b"said\n", b"err\n", 3)
    async with one.portforward(remote_port=8000) as port, httpx.AsyncClient() as client:
        for _ in range(20):  # ready says that it runs, not that it listens
            try:
                assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 200
                break
            except httpx.RemoteProtocolError:
                continue
    await one.delete()
    await one.wait("delete", timeout=60)


async def test_a_deployment_scales_and_tells_its_pods(api: Any, namespace: str) -> None:
    spec = pod("", "sleep 300")["spec"] | {"restartPolicy": "Always"}
    template = {"metadata": {"labels": {"app": "x"}}, "spec": spec}
    body = {
        "metadata": {"name": "d", "namespace": namespace},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "x"}}, "template": template},
    }
    deployment = await Deployment(body, api=api)
    await deployment.create()
    await deployment.wait("condition=Available", timeout=60)
    await deployment.scale(2)
    while len(await deployment.pods()) != 2:
        await deployment.refresh()
    await deployment.delete(propagation_policy="Foreground")
    await deployment.wait("delete", timeout=60)


async def test_custom_kinds_are_objects_too(api: Any, namespace: str) -> None:
    group = f"{namespace}.example.dev"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"boats.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "boats", "kind": "Boat"},
            "versions": [version],
        },
    }
    crd = await kr8s.asyncio.objects.CustomResourceDefinition(definition, api=api)
    await crd.create()
    await crd.wait("condition=Established", timeout=60)
    boat = await new_class("Boat", f"{group}/v1")({"metadata": {"name": "b", "namespace": namespace}}, api=api)
    await boat.create()
    seen = []
    async for event, found in api.watch(f"boats.v1.{group}", namespace=namespace):
        seen.append((event, found.name))
        break
    assert seen == [("ADDED", "b")]
    await crd.delete()
