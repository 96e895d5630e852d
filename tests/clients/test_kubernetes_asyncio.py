"""The unmodified `kubernetes_asyncio` package against a cluster: typed objects, watches, logs, commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.clients.house import House, pod

k8s: Any = pytest.importorskip("kubernetes_asyncio", reason="the kubernetes_asyncio package is not installed")

from kubernetes_asyncio import client, config, dynamic, watch  # noqa: E402
from kubernetes_asyncio.stream import WsApiClient  # noqa: E402

# It leaves connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
async def api(shared_house: House) -> AsyncIterator[Any]:
    async with await config.new_client_from_config(str(shared_house.kubeconfig)) as api:
        yield api


async def test_typed_objects_live_and_die(api: Any, namespace: str) -> None:
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    for name in ("a", "b", "c"):
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"set": "x"}), data={"k": name})
        await core.create_namespaced_config_map(namespace, body)
    page = await core.list_namespaced_config_map(namespace, label_selector="set=x", limit=2)
    rest = await core.list_namespaced_config_map(
        namespace, label_selector="set=x", limit=2, _continue=page.metadata._continue
    )
    assert [one.metadata.name for one in (*page.items, *rest.items)] == ["a", "b", "c"]
    found = await core.read_namespaced_config_map("a", namespace)
    found.data["k"] = "z"
    assert (await core.replace_namespaced_config_map("a", namespace, found)).data == {"k": "z"}
    with pytest.raises(client.ApiException) as caught:
        await core.replace_namespaced_config_map("a", namespace, found)
    assert caught.value.status == 409
    patched = await core.patch_namespaced_config_map("a", namespace, {"data": {"k": None, "l": "1"}})
    assert patched.data == {"l": "1"}
    await core.delete_collection_namespaced_config_map(namespace, label_selector="set=x")
    left = (await core.list_namespaced_config_map(namespace, label_selector="set=x")).items
    assert left == []
    template = {
        "metadata": {"labels": {"app": "x"}},
        "spec": pod("", "sleep 300")["spec"] | {"restartPolicy": "Always"},
    }
    wanted = {"replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": template}
    made = await apps.create_namespaced_deployment(namespace, {"metadata": {"name": "d"}, "spec": wanted})
    assert made.spec.strategy.rolling_update.max_surge == "25%"
    scaled = await apps.patch_namespaced_deployment_scale("d", namespace, {"spec": {"replicas": 0}})
    assert scaled.spec.replicas == 0


async def test_a_watch_goes_on_from_where_a_list_ended(api: Any, namespace: str) -> None:
    core = client.CoreV1Api(api)
    listed = await core.list_namespaced_config_map(namespace)
    for name in ("a", "b"):
        await core.create_namespaced_config_map(namespace, {"metadata": {"name": name}})
    await core.delete_namespaced_config_map("a", namespace)
    seen = []
    async with watch.Watch() as watching:
        async for event in watching.stream(
            core.list_namespaced_config_map,
            namespace,
            resource_version=listed.metadata.resource_version,
            timeout_seconds=30,
        ):
            seen.append((event["type"], event["object"].metadata.name))
            if len(seen) == 3:
                break
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]


async def test_a_pod_is_read_and_spoken_to(api: Any, namespace: str, shared_house: House) -> None:
    core = client.CoreV1Api(api)
    await core.create_namespaced_pod(namespace, pod("p", "echo one; echo two; sleep 300"))
    async with asyncio.timeout(60), watch.Watch() as watching:
        async for event in watching.stream(
            core.list_namespaced_pod, namespace, field_selector="metadata.name=p", timeout_seconds=40
        ):
            if event["object"].status.phase == "Running":
                break
        lines = []
        async with watch.Watch() as following:
            async for line in following.stream(core.read_namespaced_pod_log, "p", namespace):
                lines.append(line)
                if len(lines) == 2:
                    break
    assert lines == ["one\n", "two\n"]
    assert await core.read_namespaced_pod_log("p", namespace, tail_lines=1) == "two\n"
    configuration = client.Configuration()
    await config.load_kube_config(str(shared_house.kubeconfig), client_configuration=configuration)
    async with WsApiClient(configuration) as sockets:
        speaking = client.CoreV1Api(sockets)
        said = await speaking.connect_get_namespaced_pod_exec(
            "p", namespace, command=["sh", "-c", "echo heard; echo err >&2"], stdout=True, stderr=True
        )
        assert sorted(said.split()) == ["err", "heard"]
        raw = await speaking.connect_get_namespaced_pod_exec(
            "p", namespace, command=["sh", "-c", "exit 3"], stdout=True, stderr=True, _preload_content=False
        )
        async with raw as socket:
            last = b""
            async for message in socket:
                last = message.data if message.data[:1] == b"\x03" else last
        assert sockets.parse_error_data(last[1:].decode()) == 3
    await core.delete_namespaced_pod("p", namespace)


async def test_the_dynamic_client_finds_kinds_by_itself(api: Any, namespace: str) -> None:
    found = await dynamic.DynamicClient(api)
    kind = await found.resources.get(api_version="v1", kind="ConfigMap")
    await kind.create(body={"metadata": {"name": "c"}, "data": {"a": "1"}}, namespace=namespace)
    applied = await kind.server_side_apply(
        body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"b": "2"}},
        name="c",
        namespace=namespace,
        field_manager="somebody",
    )
    assert dict(applied.data) == {"a": "1", "b": "2"}
