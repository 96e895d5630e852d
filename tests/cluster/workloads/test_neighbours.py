"""Where a pod may be because of others: affinity, anti-affinity, spread, ports, claims; and where taints let it stay.

The tables are upstream's cases (interpodaffinity, podtopologyspread, nodeaffinity, tainttoleration, nodeports).
"""

from __future__ import annotations

from typing import Any

import pytest
from pretend_cluster import Here, new_node

from fairway.cluster.workloads import pods
from fairway.cluster.workloads.scheduling import claims, demand, evictions, neighbours, nodes
from fairway.cluster.workloads.scheduling.ledger import Ledger
from fairway.kernel import clock
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import NODE, PERSISTENT_VOLUME_CLAIM, POD, Object

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
HOST, ZONE = "kubernetes.io/hostname", "zone"


def pod(name: str, labels: dict[str, str] | None = None, *, namespace: str = "default", **spec: Any) -> Object:
    containers = spec.pop("containers", [{"name": "main", "image": "busybox"}])
    return POD.new(name, namespace, metadata={"labels": labels or {}}, spec={"containers": containers, **spec})


def selector(**labels: str) -> Object:
    return {"matchLabels": labels}


def near(key: str = HOST, **labels: str) -> Object:
    return {"affinity": {"podAffinity": {REQUIRED: [{"topologyKey": key, "labelSelector": selector(**labels)}]}}}


def away(key: str = HOST, *, term: Object | None = None, **labels: str) -> Object:
    wanted = {"topologyKey": key, "labelSelector": selector(**labels), **(term or {})}
    return {"affinity": {"podAntiAffinity": {REQUIRED: [wanted]}}}


def even(skew: int = 1, key: str = ZONE, **more: Any) -> Object:
    constraint = {"topologyKey": key, "maxSkew": skew, "whenUnsatisfiable": "DoNotSchedule"}
    return {"topologySpreadConstraints": [{**constraint, "labelSelector": selector(app="web"), **more}]}


def cluster_of(*placed: tuple[str, Object], zones: dict[str, str] | None = None) -> Ledger:
    """Nodes a and b in zones of their own, with pods on them."""
    ledger = Ledger(namespace_labels=lambda name: {"team": name})
    for name, zone in (zones or {"a": "x", "b": "y"}).items():
        made = new_node(name)
        ledger.node_changed(name, {**made, "metadata": {"name": name, "labels": {HOST: name, ZONE: zone}}})
    for node, one in placed:
        ledger.charge(meta.key(one), node, one, pods.requests(one))
    return ledger


def places(ledger: Ledger, one: Object) -> set[str]:
    """The nodes where the pod may be."""
    placement = ledger.place(demand.of(one, labelled=ledger.labelled))
    return set(ledger.scene.accounts) - set(placement.found)


WEB = ("a", pod("web", {"app": "web"}))


@pytest.mark.parametrize(
    ("spec", "placed", "where"),
    [
        (near(app="web"), (WEB,), {"a"}),
        (near(app="none"), (WEB,), set()),
        (near(app="mine"), (WEB,), {"a", "b"}),  # the first of its kind
        (near(ZONE, app="web"), (WEB,), {"a"}),
        (near("no-such-label", app="web"), (WEB,), set()),
        (away(app="web"), (WEB,), {"b"}),
        (away("no-such-label", app="web"), (WEB,), {"a", "b"}),
        (away(app="web", term={"namespaces": ["other"]}), (WEB,), {"a", "b"}),
        (away(app="web", term={"namespaceSelector": {}}), (("b", pod("w", {"app": "web"}, namespace="other")),), {"a"}),
        (
            away(app="web", term={"namespaceSelector": selector(team="other")}),
            (WEB, ("b", pod("w", {"app": "web"}, namespace="other"))),
            {"a"},
        ),
        (away(app="web", term={"matchLabelKeys": ["app"]}), (WEB,), {"a", "b"}),
        ({}, (("a", pod("alone", {"app": "web"}, **away(app="mine"))),), {"b"}),  # it keeps others away
        ({}, (("a", pod("alone", {"app": "web"}, **away(app="else"))),), {"a", "b"}),
    ],
)
def test_pods_go_where_others_are_or_are_not(spec: Object, placed: tuple[Any, ...], where: set[str]) -> None:
    assert places(cluster_of(*placed), pod("new", {"app": "mine"}, **spec)) == where


@pytest.mark.parametrize(
    ("spec", "on_a", "on_b", "where"),
    [
        (even(), 1, 0, {"b"}),
        (even(), 0, 0, {"a", "b"}),
        (even(2), 2, 0, {"b"}),
        (even(2), 1, 0, {"a", "b"}),
        (even(minDomains=3), 1, 1, set()),
        (even(key="no-such-label"), 0, 0, set()),
        ({**even(), "nodeSelector": {ZONE: "x"}}, 3, 0, {"a"}),  # the other zone is not its to fill
        ({**even(nodeAffinityPolicy="Ignore"), "nodeSelector": {ZONE: "x"}}, 3, 0, set()),
    ],
)
def test_pods_are_spread_evenly(spec: Object, on_a: int, on_b: int, where: set[str]) -> None:
    there = [("a", pod(f"a{n}", {"app": "web"})) for n in range(on_a)]
    there += [("b", pod(f"b{n}", {"app": "web"})) for n in range(on_b)]
    assert places(cluster_of(*there), pod("new", {"app": "web"}, **spec)) == where


def test_the_reasons_are_upstreams() -> None:
    ledger = cluster_of(WEB, zones={"a": "x"})
    why = ledger.place(demand.of(pod("new", {"app": "web"}, **away(app="web")))).why
    assert why == f"0/1 nodes are available: 1 {neighbours.ANTI_AFFINITY}."
    assert "node(s) didn't match pod affinity rules" in ledger.place(demand.of(pod("new", **near(app="no")))).why


def test_a_port_of_the_machine_is_given_once() -> None:
    def opening(name: str, port: int, **more: str) -> Object:
        ports = [{"containerPort": port, "hostPort": port, **more}]
        return pod(name, containers=[{"name": "main", "image": "busybox", "ports": ports}])

    ledger = cluster_of(("a", opening("first", 80)), zones={"a": "x"})
    assert places(ledger, opening("second", 80)) == set()
    assert places(ledger, opening("second", 80, hostIP="127.0.0.1")) == set()
    assert places(ledger, opening("second", 80, protocol="UDP")) == places(ledger, opening("third", 81)) == {"a"}


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ({"key": "cores", "operator": "Gt", "values": ["3"]}, True),
        ({"key": "cores", "operator": "Gt", "values": ["4"]}, False),
        ({"key": "cores", "operator": "Lt", "values": ["5"]}, True),
        ({"key": "name", "operator": "Gt", "values": ["1"]}, False),
        ({"key": "cores", "operator": "NotIn", "values": ["8"]}, True),
        ({"key": "gpu", "operator": "DoesNotExist"}, True),
    ],
)
def test_a_node_is_chosen_by_its_labels(expression: Object, holds: bool) -> None:
    node = {**new_node("a"), "metadata": {"name": "a", "labels": {"cores": "4", "name": "abc"}}}
    term = {"matchExpressions": [expression]}
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}}
    assert nodes.selected({"affinity": affinity}, node) is holds
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}
    assert nodes.matches({"nodeSelectorTerms": [by_name]}, node)
    assert not nodes.matches({"nodeSelectorTerms": [{}]}, node)


def test_a_claim_keeps_a_pod_where_its_volume_is() -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"volumeName": "disk", "accessModes": ["ReadWriteOncePod"]}}
    term = {"matchExpressions": [{"key": HOST, "operator": "In", "values": ["b"]}]}
    volume = {"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}}}
    found: dict[str, Object] = {"data": claim}
    ledger = Ledger(claim=lambda _, name: found.get(name), volume=lambda name: volume if name == "disk" else None)
    for name in ("a", "b"):
        ledger.node_changed(name, {**new_node(name), "metadata": {"name": name, "labels": {HOST: name}}})
    user = pod("user", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}])
    assert places(ledger, user) == {"b"}
    ledger.charge(meta.key(user), "b", user, {})
    other = {**user, "metadata": {**user["metadata"], "name": "other"}}
    assert claims.IN_USE in ledger.place(demand.of(other)).why
    found.clear()
    assert ledger.place(demand.of(other)).why == '0/2 nodes are available: persistentvolumeclaim "data" not found.'


@pytest.mark.parametrize(
    ("tolerations", "delay"),
    [
        ([], 0.0),
        ([{"key": "gone", "operator": "Exists"}], None),
        ([{"key": "gone", "operator": "Exists", "tolerationSeconds": 30}], 20.0),
        ([{"key": "gone", "operator": "Equal", "value": "x", "effect": "NoExecute"}], 0.0),
        ([{"operator": "Exists", "tolerationSeconds": 5}], 0.0),
    ],
)
def test_a_taint_drives_pods_away_in_time(tolerations: list[Object], delay: float | None) -> None:
    start = 1_700_000_000.0
    taint = {"key": "gone", "value": "y", "effect": "NoExecute", "timeAdded": clock.timestamp(start)}
    assert evictions.delay(pod("p", tolerations=tolerations), [taint], start + 10) == delay


async def test_pods_leave_a_node_that_does_not_want_them(here: Here) -> None:
    patient = [{"key": "drain", "operator": "Exists"}]
    await here.client.create(POD, pod("stays", tolerations=patient))
    await here.client.create(POD, pod("goes"))
    await here.until(POD, "goes", lambda one: one["status"].get("phase") == "Running")
    await here.client.patch(NODE, "here", None, {"spec": {"taints": [{"key": "drain", "effect": "NoExecute"}]}})
    await here.until_gone(POD, "goes")
    event = await here.first_event_of("goes")
    assert (event["reason"], event["message"]) == ("TaintManagerEviction", "Marking for deletion Pod default/goes")
    assert not meta.being_deleted(await here.client.get(POD, "stays", "default"))


async def test_a_pod_waits_for_its_claim(here: Here) -> None:
    await here.client.create(POD, pod("user", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]))
    waiting = await here.until(POD, "user", lambda one: conditions.find(one, "PodScheduled"))
    told = conditions.find(waiting, "PodScheduled")
    assert told and told["message"].startswith(
        '0/1 nodes are available: persistentvolumeclaim "data" not found. preemption: 0/1 nodes are available: '
        "1 Preemption is not helpful for scheduling."
    )
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await here.client.create(PERSISTENT_VOLUME_CLAIM, PERSISTENT_VOLUME_CLAIM.new("data", "default", spec=spec))
    await here.until(POD, "user", lambda one: one["spec"].get("nodeName"))


async def test_pods_that_keep_apart_wait_for_each_other(here: Here) -> None:
    await here.client.patch(NODE, "here", None, {"metadata": {"labels": {HOST: "here"}}})
    await here.client.create(POD, pod("one", {"app": "web"}, **away(app="web")))
    await here.until(POD, "one", lambda one: one["spec"].get("nodeName"))
    await here.client.create(POD, pod("two", {"app": "web"}))
    await here.client.create(POD, pod("three", {"app": "else"}))
    await here.until(POD, "three", lambda one: one["spec"].get("nodeName"))
    waiting = await here.until(POD, "two", lambda one: conditions.find(one, "PodScheduled"))
    assert neighbours.REPELLED in (conditions.find(waiting, "PodScheduled") or {})["message"]
    await here.client.delete(POD, "one", "default")
    await here.until(POD, "two", lambda one: one["spec"].get("nodeName"))


def test_only_pods_that_keep_others_away_are_asked_by_all() -> None:
    """What a decision costs must not grow with the pods that are there."""
    books = Ledger()
    books.node_changed("a", new_node("a"))
    keeps_away = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}
    rules = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [keeps_away]}}
    container = {"name": "c", "image": "busybox"}
    for name, affinity in (("shy", rules), ("plain", {})):
        one = POD.new(name, "default", spec={"containers": [container], "affinity": affinity})
        books.charge(meta.key(one), "a", one, {})
    account = books.scene.accounts["a"]
    assert set(account.repelling) == {("default", "shy")} and len(account.tenants) == 2
    assert not account.with_(without=[("default", "shy")]).repelling
    assert set(account.with_(without=[("default", "plain")]).repelling) == {("default", "shy")}
    books.release(("default", "shy"))
    assert not account.repelling and len(account.tenants) == 1
