"""What `kubectl get` shows: the words and numbers that users judge a system by."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.cluster.api import jsonpath, resources
from fairway.cluster.api.printing import durations, tables
from fairway.kernel.clock import timestamp
from fairway.kernel.objects.kinds import Object

NOW = 1_700_000_000.0
BY_NAME = {row.kind.resource: row for row in resources.builtin()}


def cells(resource: str, obj: Object) -> dict[str, Any]:
    """Column name to cell of one object."""
    obj.setdefault("metadata", {"name": "x"})
    found = tables.table(BY_NAME[resource], [obj], include_object="None", now=NOW)
    names = [column["name"] for column in found["columnDefinitions"]]
    return dict(zip(names, found["rows"][0]["cells"], strict=True))


def ago(seconds: float) -> str:
    return timestamp(NOW - seconds)


# Pods

RUNNING = {"name": "c", "ready": True, "restartCount": 0, "state": {"running": {}}}
DONE = {"name": "c", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
CRASHING = {
    "name": "c",
    "restartCount": 3,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 1, "finishedAt": ago(30)}},
}
READY = [{"type": "Ready", "status": "True"}]


def pod(phase: str, *containers: Object, init: tuple[Object, ...] = (), **status: Any) -> Object:
    return {
        "metadata": {"name": "x", "creationTimestamp": ago(90)},
        "spec": {
            "containers": list(containers) or [{"name": "c"}],
            "initContainers": [{"name": i["name"]} for i in init],
        },
        "status": {
            "phase": phase,
            "containerStatuses": list(containers),
            "initContainerStatuses": list(init),
            **status,
        },
    }


@pytest.mark.parametrize(
    ("given", "ready", "status", "restarts"),
    [
        (pod("Pending"), "0/1", "Pending", "0"),
        (pod("Pending", {"state": {"waiting": {"reason": "ContainerCreating"}}}), "0/1", "ContainerCreating", "0"),
        (pod("Running", RUNNING), "1/1", "Running", "0"),
        (pod("Running", CRASHING), "0/1", "CrashLoopBackOff", "3 (30s ago)"),
        (pod("Succeeded", DONE), "0/1", "Completed", "0"),
        (pod("Running", DONE, RUNNING, conditions=READY), "1/2", "Running", "0"),
        (pod("Running", DONE, RUNNING), "1/2", "NotReady", "0"),
        (pod("Failed", {"state": {"terminated": {"exitCode": 2}}}), "0/1", "ExitCode:2", "0"),
        (pod("Failed", {"state": {"terminated": {"exitCode": 137, "signal": 9}}}), "0/1", "Signal:9", "0"),
        (pod("Failed", {"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}), "0/1", "OOMKilled", "0"),
        (pod("Failed", reason="Evicted"), "0/1", "Evicted", "0"),
        (pod("Pending", init=({"name": "i", "state": {"running": {}}},)), "0/1", "Init:0/1", "0"),
        (
            pod(
                "Pending", init=(DONE | {"name": "i"}, {"name": "j", "state": {"waiting": {"reason": "ErrImagePull"}}})
            ),
            "0/1",
            "Init:ErrImagePull",
            "0",
        ),
        (
            pod("Pending", init=({"name": "i", "state": {"terminated": {"exitCode": 3}}},)),
            "0/1",
            "Init:ExitCode:3",
            "0",
        ),
        (
            pod("Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]),
            "0/1",
            "SchedulingGated",
            "0",
        ),
    ],
)
def test_the_state_of_a_pod_in_words(given: Object, ready: str, status: str, restarts: str) -> None:
    row = cells("pods", given)
    assert (row["Ready"], row["Status"], row["Restarts"], row["Age"]) == (ready, status, restarts, "90s")


def test_a_pod_that_is_being_deleted_is_terminating_until_it_has_ended() -> None:
    leaving = pod("Running", RUNNING)
    leaving["metadata"]["deletionTimestamp"] = ago(1)
    assert cells("pods", leaving)["Status"] == "Terminating"
    ended = pod("Succeeded", DONE)
    ended["metadata"]["deletionTimestamp"] = ago(1)
    assert cells("pods", ended)["Status"] == "Completed"


def test_a_sidecar_counts_as_a_container() -> None:
    given = pod("Running", RUNNING, init=({"name": "s", "started": True, "ready": True, "restartCount": 2},))
    given["spec"]["initContainers"][0]["restartPolicy"] = "Always"
    row = cells("pods", given)
    assert (row["Ready"], row["Status"], row["Restarts"]) == ("2/2", "Running", "2")


# Other kinds


def test_workloads() -> None:
    template = {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j:2"}]}}
    spec = {"replicas": 3, "template": template, "selector": {"matchLabels": {"app": "x"}}}
    deployment = cells("deployments.apps", {"spec": spec, "status": {"readyReplicas": 2, "updatedReplicas": 3}})
    assert deployment["Ready"] == "2/3"
    assert (deployment["Up-to-date"], deployment["Available"]) == (3, 0)
    assert (deployment["Containers"], deployment["Images"], deployment["Selector"]) == ("a,b", "i:1,j:2", "app=x")
    replica_set = cells("replicasets.apps", {"spec": spec, "status": {"replicas": 3, "readyReplicas": 1}})
    assert (replica_set["Desired"], replica_set["Current"], replica_set["Ready"]) == (3, 3, 1)


def test_jobs() -> None:
    running = cells("jobs.batch", {"spec": {"completions": 3}, "status": {"succeeded": 1, "startTime": ago(75)}})
    assert (running["Status"], running["Completions"], running["Duration"]) == ("Running", "1/3", "75s")
    complete = {"conditions": [{"type": "Complete", "status": "True"}], "succeeded": 1}
    complete |= {"startTime": ago(100), "completionTime": ago(90)}
    done = cells("jobs.batch", {"spec": {"parallelism": 4}, "status": complete})
    assert (done["Status"], done["Completions"], done["Duration"]) == ("Complete", "1/1 of 4", "10s")


def test_services() -> None:
    ports = [{"port": 80, "protocol": "TCP"}, {"port": 53, "nodePort": 30053, "protocol": "UDP"}]
    row = cells("services", {"spec": {"type": "NodePort", "clusterIP": "127.32.0.1", "ports": ports}})
    assert (row["Cluster-IP"], row["External-IP"], row["Port(s)"]) == ("127.32.0.1", "<none>", "80/TCP,53:30053/UDP")
    assert cells("services", {"spec": {"type": "LoadBalancer"}})["External-IP"] == "<pending>"


def test_endpoints_show_three_and_count_the_rest() -> None:
    addresses = [{"ip": f"127.64.0.{number}"} for number in range(1, 6)]
    row = cells("endpoints", {"subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]})
    assert row["Endpoints"] == "127.64.0.1:80,127.64.0.2:80,127.64.0.3:80 + 2 more..."


def test_nodes() -> None:
    node = {
        "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/control-plane": ""}},
        "spec": {"unschedulable": True},
        "status": {"conditions": READY, "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]},
    }
    row = cells("nodes", node)
    assert (row["Status"], row["Roles"], row["Internal-IP"]) == (
        "Ready,SchedulingDisabled",
        "control-plane",
        "127.0.0.1",
    )


def test_both_views_of_an_event_show_the_same() -> None:
    about = {"kind": "Pod", "name": "p"}
    old = cells("events", {"involvedObject": about, "message": "said", "reason": "R", "lastTimestamp": ago(5)})
    new = cells(
        "events.events.k8s.io", {"regarding": about, "note": "said", "reason": "R", "deprecatedLastTimestamp": ago(5)}
    )
    assert (old["Last Seen"], old["Object"], old["Message"]) == ("5s", "pod/p", "said")
    assert {key: old[key] for key in old if key != "First Seen"} == {
        key: new[key] for key in new if key != "First Seen"
    }


def test_every_stored_kind_has_a_row_for_the_barest_object() -> None:
    for row in resources.builtin():
        if row.stored:
            assert cells(row.kind.resource, {"metadata": {"name": "bare"}})["Name"] == "bare"


# Custom resources


def test_columns_of_a_custom_resource() -> None:
    columns = [
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1},
        {"name": "Done", "type": "boolean", "jsonPath": ".status.done"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Hosts", "type": "string", "jsonPath": ".spec.hosts"},
        {"name": "Wrong", "type": "integer", "jsonPath": ".spec.hosts[0]"},
    ]
    obj = {
        "metadata": {"name": "x", "creationTimestamp": ago(7200)},
        "spec": {"replicas": 2, "hosts": ["a", "b"]},
        "status": {"conditions": READY},
    }
    found = tables.table(columns, [obj], include_object="Object", now=NOW)
    assert found["rows"] == [{"cells": ["x", "True", 2, None, "120m", '["a","b"]', None], "object": obj}]
    assert [column["priority"] for column in found["columnDefinitions"]] == [0, 0, 1, 0, 0, 0, 0]


def test_a_scale_has_columns_of_its_own_whatever_it_is_the_scale_of() -> None:
    metadata = {"name": "web", "creationTimestamp": ago(60)}
    scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata}
    scale |= {"spec": {"replicas": 3}, "status": {"replicas": 1, "selector": "app=web"}}
    found = tables.table(BY_NAME["deployments.apps"], [scale], include_object="None", now=NOW)
    assert [column["name"] for column in found["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
    assert [row["cells"] for row in found["rows"]] == [["web", 3, 1, "60s"]]


def test_a_custom_resource_without_columns_shows_its_name_and_age() -> None:
    obj = {"metadata": {"name": "x", "creationTimestamp": ago(1)}}
    found = tables.table([], [obj], include_object="Metadata", now=NOW, headers=False)
    carried = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
    assert found["rows"] == [{"cells": ["x", "1s"], "object": carried}]
    assert found["columnDefinitions"] is None


# The parts


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".a.b", [1]),
        ("{.a.b}", [1]),
        (".a['b']", [1]),
        (r".labels.app\.io/name", ["n"]),
        (".list[0].v", [1]),
        (".list[-1].v", [3]),
        (".list[1:].v", [2, 3]),
        (".list[*].v", [1, 2, 3]),
        (".list[?(@.v > 1)].v", [2, 3]),
        (".list[?(@.k=='x')].v", [1, 3]),
        (".list[?(@.extra)].v", [3]),
        (".list[?(@.k > 1)].v", []),
        (".missing.b", []),
        (".a.b.c", []),
        (".null", []),
    ],
)
def test_json_paths(path: str, values: list[Any]) -> None:
    items = [{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "x", "v": 3, "extra": True}]
    obj = {"a": {"b": 1}, "labels": {"app.io/name": "n"}, "list": items, "null": None}
    assert jsonpath.compile(path)(obj) == values


@pytest.mark.parametrize("path", ["..a", "a.b", ".a[", ".a[?(@.b ~ 1)]", ".a[0,1]"])
def test_paths_beyond_a_columns_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a path that a column can have"):
        jsonpath.compile(path)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-0.5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (660, "11m"),
        (3 * 3600, "3h"),
        (5 * 3600 + 120, "5h2m"),
        (9 * 3600 + 120, "9h"),
        (49 * 3600, "2d1h"),
        (10 * 86400, "10d"),
        (3 * 365 * 86400 + 86400, "3y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert durations.text(seconds) == text


def test_horizontal_pod_autoscalers() -> None:
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}
    queue = {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"averageValue": "10"}}}
    seen = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 12}}}]
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 5, "metrics": [cpu, queue, cpu]}
    hpa = {"apiVersion": "autoscaling/v2", "spec": spec, "status": {"currentReplicas": 2, "currentMetrics": seen}}
    found = cells("horizontalpodautoscalers.autoscaling", hpa)
    assert found["Targets"] == "cpu: 12%/80%, <unknown>/10 (avg) + 1 more..."
    assert (found["Reference"], found["MinPods"], found["MaxPods"]) == ("Deployment/web", "<unset>", "5")


def test_ingresses_and_policies() -> None:
    rules = [{"host": "a.example"}, {}]
    found = cells("ingresses.networking.k8s.io", {"spec": {"ingressClassName": "x", "rules": rules, "tls": [{}]}})
    assert (found["Class"], found["Hosts"], found["Address"], found["Ports"]) == ("x", "a.example,*", "", "80, 443")
    assert cells("networkpolicies.networking.k8s.io", {"spec": {"podSelector": {}}})["Pod-Selector"] == "<none>"
