"""Services lead to pods that are ready, and away from pods on their way out, at once."""

from __future__ import annotations

from typing import Any

from pretend_cluster import Here

from fairway.cluster.workloads import endpoint_sets
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, ENDPOINTS, POD, SERVICE, Object


def service(**spec: Any) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": "web"}]
    made = SERVICE.new("shop", "default", spec={"selector": {"app": "shop"}, "ports": ports, **spec})
    made["metadata"]["uid"] = "service-uid"
    return made


def pod(name: str, *, port: int = 8080, ready: bool = True, leaving: bool = False, phase: str = "Running") -> Object:
    ports = [{"name": "web", "containerPort": port}]
    made = POD.new(
        name,
        "default",
        metadata={"uid": f"{name}-uid", "labels": {"app": "shop"}},
        spec={"nodeName": "here", "containers": [{"name": "c", "image": "busybox", "ports": ports}]},
    )
    if leaving:
        made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    state = {"type": "Ready", "status": str(ready)}
    return {**made, "status": {"phase": phase, "podIP": f"127.64.0.{len(name)}", "conditions": [state]}}


def readiness(slices: list[Object]) -> dict[str, bool]:
    return {e["targetRef"]["name"]: e["conditions"]["ready"] for one in slices for e in one["endpoints"]}


def test_only_ready_pods_that_stay_are_ready_endpoints() -> None:
    seen = [
        pod("a"),
        pod("bb", ready=False),
        pod("ccc", leaving=True),
        pod("dddd", phase="Succeeded"),
        {**pod("eeeee"), "status": {"phase": "Pending"}},
    ]
    assert readiness(endpoint_sets.slices(service(), seen)) == {"a": True, "bb": False, "ccc": False}
    legacy = endpoint_sets.legacy(service(), seen)["subsets"]
    assert [address["ip"] for address in legacy[0]["addresses"]] == ["127.64.0.1"]
    assert [address["ip"] for address in legacy[0]["notReadyAddresses"]] == ["127.64.0.2"]
    early = endpoint_sets.slices(service(publishNotReadyAddresses=True), seen)
    assert readiness(early) == {"a": True, "bb": True, "ccc": True}


def test_a_named_port_is_looked_up_in_each_pod() -> None:
    slices = endpoint_sets.slices(service(), [pod("a", port=8080), pod("bb", port=9090)])
    found = {(e["addresses"][0], one["ports"][0]["port"]) for one in slices for e in one["endpoints"]}
    assert found == {("127.64.0.1", 8080), ("127.64.0.2", 9090)}
    assert len({meta.name(one) for one in slices}) == 2


async def test_endpoints_follow_the_pods_of_a_service(here: Here) -> None:
    await here.client.create(SERVICE, {**service(), "metadata": {"name": "shop", "namespace": "default"}})
    made = pod("first")
    labels = {"labels": {"app": "shop"}}
    await here.client.create(
        POD, POD.new("first", "default", metadata=labels, spec={"containers": made["spec"]["containers"]})
    )
    found = await here.until(ENDPOINTS, "shop", lambda e: (e.get("subsets") or [{}])[0].get("addresses"))
    assert found["subsets"][0]["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]
    slices = (await here.client.list(ENDPOINT_SLICE, "default", labels="kubernetes.io/service-name=shop")).items
    ready = next(one for one in slices if one["endpoints"])
    assert ready["endpoints"][0]["conditions"] == {"ready": True, "serving": True, "terminating": False}
    await here.client.patch(POD, "first", "default", {"metadata": {"labels": {"app": "other"}}})
    await here.until(ENDPOINTS, "shop", lambda e: not e.get("subsets"))
    await here.client.delete(SERVICE, "shop", "default")
    await here.until_gone(ENDPOINT_SLICE, meta.name(ready))
    await here.until_gone(ENDPOINTS, "shop")
