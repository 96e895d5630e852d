"""Pods of higher priority get room: as little as possible goes for it, is told why, and what must not go stays."""

from __future__ import annotations

from typing import Any

import pytest
from pretend_cluster import Here, new_node

from fairway.cluster.workloads import pods
from fairway.cluster.workloads.scheduling import demand, preemption
from fairway.cluster.workloads.scheduling.ledger import Ledger
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import EVENT, JOB, POD, POD_DISRUPTION_BUDGET, PRIORITY_CLASS, Object


def pod(
    name: str, cpu: str, priority: int = 0, *, started: str = "", labels: Object | None = None, **spec: Any
) -> Object:
    container = {"name": "main", "image": "busybox", "resources": {"requests": {"cpu": cpu}}}
    metadata = {"uid": f"{name}-uid", "labels": labels or {}, "creationTimestamp": started or "2026-01-01T00:00:00Z"}
    return POD.new(name, "default", metadata=metadata, spec={"containers": [container], "priority": priority, **spec})


def victims(
    wanted: Object, *placed: tuple[str, Object], budgets: tuple[Object, ...] = ()
) -> tuple[str, list[str], str]:
    """The node that is chosen, who goes, and why nobody does; each node has 8 cores."""
    ledger = Ledger()
    for node in sorted({node for node, _ in placed} | {"a"}):
        ledger.node_changed(node, new_node(node))
    for node, one in placed:
        ledger.charge(meta.key(one), node, one, pods.requests(one))
    asked = demand.of(wanted)
    placement = ledger.place(asked, meta.key(wanted))
    assert not placement.node
    found = preemption.find(ledger, asked, meta.key(wanted), placement, budgets)
    return found.node, sorted(meta.name(victim.pod) for victim in found.victims), found.why


def test_as_few_go_as_needed_and_the_least_important_first() -> None:
    there = [("a", pod(name, "2", priority)) for name, priority in (("p1", 1), ("p2", 2), ("p3", 3), ("p4", 4))]
    assert victims(pod("new", "2", 9), *there) == ("a", ["p1"], "")
    assert victims(pod("new", "3", 9), *there) == ("a", ["p1", "p2"], "")
    assert victims(pod("new", "8", 4), *there)[1] == []
    assert victims(pod("new", "6", 4), *there) == ("a", ["p1", "p2", "p3"], "")


def test_among_equals_the_youngest_goes() -> None:
    old, young = pod("old", "4", started="2026-01-01T00:00:00Z"), pod("young", "4", started="2026-02-01T00:00:00Z")
    assert victims(pod("new", "2", 9), ("a", old), ("a", young)) == ("a", ["young"], "")


def test_the_node_is_taken_where_least_is_lost() -> None:
    new = pod("new", "8", 9)
    assert victims(new, ("a", pod("x", "8", 5)), ("b", pod("y", "8", 2)))[0] == "b"
    assert victims(new, ("a", pod("x", "8", 2)), ("b", pod("y", "4", 2)), ("b", pod("z", "4", 2)))[0] == "a"
    below = [("a", pod(name, "4", -10)) for name in "xy"]
    assert victims(new, *below, ("b", pod("z", "8", -10))) == ("b", ["z"], "")
    late, early = "2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"
    assert victims(new, ("a", pod("x", "8", started=early)), ("b", pod("y", "8", started=late)))[0] == "b"


def test_what_a_budget_protects_goes_last() -> None:
    budget = {
        **POD_DISRUPTION_BUDGET.new("keep", "default", metadata={"uid": "b"}),
        "spec": {"selector": {"matchLabels": {"app": "db"}}},
        "status": {"disruptionsAllowed": 0},
    }
    there = (("a", pod("db", "4", 1, labels={"app": "db"})), ("a", pod("web", "4", 5)))
    assert victims(pod("new", "4", 9), *there) == ("a", ["db"], "")
    assert victims(pod("new", "4", 9), *there, budgets=(budget,)) == ("a", ["web"], "")
    assert victims(pod("new", "8", 9), *there, budgets=(budget,)) == ("a", ["db", "web"], "")


def test_who_leaves_already_is_enough() -> None:
    leaving = pod("leaving", "4")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert victims(pod("new", "4", 9), ("a", leaving), ("a", pod("stays", "4"))) == ("a", [], "")


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (pod("new", "2", 9, preemptionPolicy="Never"), "preemption: not eligible due to preemptionPolicy=Never."),
        (
            pod("new", "2", 0),
            "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
        ),
        (
            pod("new", "2", 9, nodeSelector={"disk": "ssd"}),
            "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
        ),
        (
            pod("new", "99", 9),
            "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
        ),
    ],
)
def test_why_nobody_goes(wanted: Object, why: str) -> None:
    assert victims(wanted, ("a", pod("there", "8"))) == ("", [], why)


# On the API


def asking(name: str, cpu: str, **spec: Any) -> Object:
    container = {"name": "main", "image": "busybox", "resources": {"requests": {"cpu": cpu}}}
    return POD.new(name, "default", spec={"containers": [container], **spec})


async def classes(here: Here) -> None:
    for name, value in (("high", 1000), ("low", 10)):
        await here.client.create(PRIORITY_CLASS, PRIORITY_CLASS.new(name, None, value=value))


async def test_a_more_important_pod_gets_the_room_of_others(here: Here) -> None:
    await classes(here)
    for name in ("first", "second"):
        await here.client.create(POD, asking(name, "4", priorityClassName="low"))
        await here.until(POD, name, lambda one: one["status"].get("phase") == "Running")
    await here.client.create(POD, asking("urgent", "4", priorityClassName="high"))
    urgent = await here.until(POD, "urgent", lambda one: one["spec"].get("nodeName"))
    assert urgent["status"]["nominatedNodeName"] == "here"
    left = {meta.name(one) for one in await here.pods()}
    assert len(left) == 2 and "urgent" in left
    (gone,) = {"first", "second"} - left
    reasons = {
        event["reason"]: event["message"]
        for event in (await here.client.list(EVENT, "default", fields=f"involvedObject.name={gone}")).items
    }
    assert reasons["Preempted"] == f"Preempted by pod {meta.uid(urgent)} on node here"


async def test_room_that_was_made_is_not_taken_by_others(here: Here) -> None:
    await classes(here)
    here.node.behave = lambda one: None if meta.being_deleted(one) else here.node.running()
    held = asking("held", "8", priorityClassName="low")
    held["metadata"]["finalizers"] = ["test.fairway.dev/hold"]
    await here.client.create(POD, held)
    await here.until(POD, "held", lambda one: one["spec"].get("nodeName"))
    await here.client.create(POD, asking("urgent", "4", priorityClassName="high"))
    await here.until(POD, "urgent", lambda one: (one.get("status") or {}).get("nominatedNodeName"))
    marked = await here.until(POD, "held", lambda one: conditions.is_true(one, "DisruptionTarget"))
    said = conditions.find(marked, "DisruptionTarget")
    assert said and said["reason"] == "PreemptionByScheduler"
    await here.client.create(POD, asking("greedy", "8", priorityClassName="low"))
    await here.client.patch(POD, "held", "default", {"metadata": {"finalizers": None}})
    await here.until(POD, "urgent", lambda one: one["spec"].get("nodeName"))
    assert not (await here.client.get(POD, "greedy", "default"))["spec"].get("nodeName")


async def test_important_pods_are_first_in_line(here: Here) -> None:
    await classes(here)
    await here.client.create(POD, asking("filler", "8", priorityClassName="high"))
    await here.until(POD, "filler", lambda one: one["spec"].get("nodeName"))
    await here.client.create(POD, asking("low", "5", priorityClassName="low"))
    await here.client.create(POD, asking("high", "5", priorityClassName="high"))
    await here.until(POD, "high", lambda one: conditions.find(one, "PodScheduled"))
    await here.client.delete(POD, "filler", "default")
    await here.until(POD, "high", lambda one: one["spec"].get("nodeName"))
    assert not (await here.client.get(POD, "low", "default"))["spec"].get("nodeName")


async def test_a_job_does_not_count_pods_that_made_room(here: Here) -> None:
    await classes(here)
    container = {"name": "main", "image": "busybox", "resources": {"requests": {"cpu": "8"}}}
    template = {"spec": {"restartPolicy": "Never", "priorityClassName": "low", "containers": [container]}}
    rules = [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
    spec = {"backoffLimit": 0, "template": template, "podFailurePolicy": {"rules": rules}}
    await here.client.create(JOB, JOB.new("work", "default", spec=spec))
    (first,) = await here.until_pods(lambda seen: [one["status"].get("phase") for one in seen] == ["Running"])
    await here.client.create(POD, asking("urgent", "8", priorityClassName="high"))
    await here.until(POD, "urgent", lambda one: one["spec"].get("nodeName"))
    await here.until_gone(POD, meta.name(first))
    await here.client.delete(POD, "urgent", "default")
    await here.until(JOB, "work", lambda one: one["status"].get("ready") == 1)
    assert not (await here.client.get(JOB, "work", "default"))["status"].get("failed")
