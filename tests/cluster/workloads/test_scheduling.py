"""Pods get a node that has room, and those that do not are told why in upstream's words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from pretend_cluster import Here, add_node, cluster, new_node

from fairway.cluster.workloads import pods
from fairway.cluster.workloads.scheduling import demand, nodes, terms
from fairway.cluster.workloads.scheduling.ledger import Ledger
from fairway.cluster.workloads.scheduling.scheduler import Scheduler
from fairway.kernel.objects import conditions, meta, quantities
from fairway.kernel.objects.kinds import POD, Object

NOBODY = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."


def pod(name: str, cpu: str = "", **spec: Any) -> Object:
    container: Object = {"name": "main", "image": "busybox"}
    if cpu:
        container["resources"] = {"requests": {"cpu": cpu}}
    return POD.new(name, "default", spec={"containers": [container], **spec})


def bound(obj: Object) -> bool:
    return bool(obj["spec"].get("nodeName"))


def told(obj: Object) -> str:
    condition = conditions.find(obj, "PodScheduled")
    return condition["message"] if condition and condition["status"] == "False" else ""


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncGenerator[Here, None]:
    async with cluster(tmp_path, node=False) as found:
        yield found


async def test_a_pod_waits_for_room_is_told_why_and_gets_it(here: Here) -> None:
    await here.client.create(POD, pod("big", "6"))
    await here.until(POD, "big", bound)
    await here.client.create(POD, pod("next", "3"))
    await here.client.create(POD, pod("small", "2"))
    await here.until(POD, "small", bound)
    waiting = await here.until(POD, "next", told)
    assert told(waiting) == f"0/1 nodes are available: 1 Insufficient cpu. {NOBODY}"
    assert not bound(waiting)
    event = await here.first_event_of("next")
    assert (event["reason"], event["type"], event["message"]) == ("FailedScheduling", "Warning", told(waiting))
    await here.finish(await here.client.get(POD, "big", "default"))
    await here.until(POD, "next", bound)


async def test_a_pod_that_cannot_be_read_keeps_nobody_from_a_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever in it that is."""
    verdict = Scheduler._verdict

    def of_readable(scheduler: Scheduler, line: Any, key: tuple[str, str]) -> Any:
        return {}["spec"] if key[1] == "odd" else verdict(scheduler, line, key)

    monkeypatch.setattr(Scheduler, "_verdict", of_readable)
    async with cluster(tmp_path) as here:
        await here.client.create(POD, pod("odd", "1"))
        assert "cannot be read" in told(await here.until(POD, "odd", told))
        await here.client.create(POD, pod("other"))
        await here.until(POD, "other", bound)


async def test_a_waiting_pod_gets_the_node_that_comes_later(bare: Here) -> None:
    await bare.client.create(POD, pod("early"))
    await bare.until(POD, "early", lambda obj: told(obj) == "no nodes available to schedule pods")
    await add_node(bare.client, new_node())
    await bare.until(POD, "early", bound)


async def test_a_pod_is_held_back_by_gates_and_may_be_sent_somewhere_meanwhile(here: Here) -> None:
    await add_node(here.client, node_with("there", labels={"zone": "b"}))
    await here.client.create(POD, pod("held", schedulingGates=[{"name": "example.com/quota"}]))
    held = await here.until(POD, "held", told)
    assert told(held) == "Scheduling is blocked due to non-empty scheduling gates"
    await here.client.patch(POD, "held", "default", {"spec": {"nodeSelector": {"zone": "b"}}})
    await here.client.patch(POD, "held", "default", {"spec": {"schedulingGates": None}})
    sent = await here.until(POD, "held", bound)
    assert sent["spec"]["nodeName"] == "there"


async def test_gpus_are_counted_like_everything_else(bare: Here) -> None:
    await add_node(bare.client, new_node(**{"nvidia.com/gpu": "2"}))
    for name in ("one", "two", "three"):
        limits = {"limits": {"nvidia.com/gpu": "1"}}
        spec = {"containers": [{"name": "main", "image": "busybox", "resources": limits}]}
        await bare.client.create(POD, POD.new(name, "default", spec=spec))
    waiting = await bare.until(POD, "three", told)
    assert told(waiting) == f"0/1 nodes are available: 1 Insufficient nvidia.com/gpu. {NOBODY}"
    await bare.client.delete(POD, "one", "default")
    await bare.until(POD, "three", bound)


async def test_a_pod_that_names_its_node_is_left_alone(here: Here) -> None:
    await here.client.create(POD, pod("preset", "100", nodeName="elsewhere"))
    await here.client.create(POD, pod("other", schedulerName="somebody-else"))
    await here.client.create(POD, pod("last"))
    await here.until(POD, "last", bound)
    assert (await here.client.get(POD, "preset", "default"))["spec"]["nodeName"] == "elsewhere"
    assert not bound(await here.client.get(POD, "other", "default"))


async def test_a_thousand_pods_never_use_more_than_there_is(here: Here) -> None:
    here.node.behave = lambda one: None
    await asyncio.gather(*(here.client.create(POD, pod(f"p{n}", "100m")) for n in range(300)))
    taken = await here.until_pods(lambda seen: sum(map(bound, seen)) == 80)
    assert len(taken) == 300
    for done in [one for one in taken if bound(one)][:30]:
        await here.finish(done)
    await here.until_pods(lambda seen: sum(map(bound, seen)) == 110)


# Whether it fits, on paper


def why(pod_spec: Object, *nodes: Object) -> str:
    ledger = Ledger()
    for node in nodes:
        ledger.node_changed(meta.name(node), node)
    return ledger.place(demand.of({"metadata": {"name": "p"}, "spec": pod_spec})).why


def node_with(name: str, *, labels: Object | None = None, **spec: Any) -> Object:
    made = new_node(name)
    return {**made, "metadata": {"name": name, "labels": labels or {}}, "spec": spec}


def test_the_reasons_are_counted_over_nodes() -> None:
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    tainted, closed = node_with("a", taints=[taint]), node_with("b", unschedulable=True)
    wanted = {"nodeSelector": {"disk": "ssd"}}
    selector = "node(s) didn't match Pod's node affinity/selector"
    untolerated = "1 node(s) had untolerated taint {gpu: yes}"
    assert why(wanted, tainted, closed) == (
        f"0/2 nodes are available: {untolerated}, 1 node(s) were unschedulable, 2 {selector}."
    )
    tolerating = {"tolerations": [{"key": "gpu", "operator": "Exists"}]}
    assert why(tolerating, tainted) == ""
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    affine = {"affinity": {"nodeAffinity": required}}
    assert why(affine, node_with("c", labels={"disk": "ssd"})) == ""
    assert why(affine, node_with("d", labels={"disk": "tape"})) == f"0/1 nodes are available: 1 {selector}."


def test_a_node_that_is_not_ready_takes_nothing() -> None:
    away = {**new_node("away"), "status": {**new_node()["status"], "conditions": []}}
    assert "untolerated taint {node.kubernetes.io/not-ready: }" in why({}, away)


def test_what_a_pod_asks_for_is_its_largest_moment() -> None:
    def asks(cpu: str, **more: Any) -> Object:
        return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "containers": [asks("1"), asks("500m")],
        "initContainers": [asks("250m", restartPolicy="Always"), asks("2")],
    }
    assert pods.requests({"spec": spec}) == {"cpu": quantities.parse("2250m")}
    limited = {"containers": [{"name": "c", "resources": {"limits": {"memory": "1Gi"}}}]}
    assert pods.requests({"spec": limited}) == {"memory": quantities.parse("1Gi")}


def test_releasing_and_charging_keep_the_books_right() -> None:
    ledger, one, tenant = Ledger(), {"cpu": quantities.parse("5")}, pod("a", "5")
    ledger.charge(("default", "a"), "here", tenant, one)  # a pod may be seen before its node
    ledger.node_changed("here", new_node())
    ledger.charge(("default", "a"), "here", tenant, one)
    wanted = demand.of(pod("b", "4"))
    assert ledger.place(wanted).why == "0/1 nodes are available: 1 Insufficient cpu."
    assert ledger.release(("default", "a")) and not ledger.release(("default", "a"))
    assert ledger.place(wanted).node == "here"


async def test_what_others_wrote_into_a_pods_status_stops_no_scheduler(bare: Here) -> None:
    """A condition need not say since when it is so."""
    await bare.client.create(POD, pod("odd"))
    said = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Mine", "message": "x"}]}
    await bare.client.patch_status(POD, "odd", "default", said)
    odd = await bare.until(POD, "odd", lambda obj: told(obj) == "no nodes available to schedule pods")
    assert conditions.find(odd, "PodScheduled")["lastTransitionTime"]  # type: ignore[index]
    await add_node(bare.client, new_node())
    await bare.until(POD, "odd", bound)


def test_a_pod_whose_terms_cannot_be_read_keeps_nobody_away() -> None:
    """Such a pod is refused today; an earlier Fairway took it, and the scheduler asks its terms for every other pod."""
    term = {"topologyKey": "zone", "labelSelector": {"matchExpressions": [{"key": "a", "operator": "Foo"}]}}
    assert terms.means(term, "default", {}, lambda name: {})(pod("other")) is False
    expression = {"matchExpressions": [{"key": "zone", "operator": "Foo"}]}
    assert nodes.matches({"nodeSelectorTerms": [expression]}, node_with("here", labels={"zone": "a"})) is False
