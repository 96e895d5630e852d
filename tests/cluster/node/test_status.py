"""A pod's status from its containers: tables."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.cluster.node.runtime import ContainerId, ContainerState
from fairway.cluster.node.status import Place, View, phase_of, pod_status, qos_class, runs_again
from fairway.kernel.objects.kinds import POD, Object

PLACE = Place("127.0.0.1", "127.64.0.9", "2026-01-01T00:00:00Z", "fake")


def view(code: int | str = "waiting", *, init: bool = False, last: bool = False, sidecar: bool = False) -> View:
    """`code` is an exit code, `running` or `waiting`."""
    spec = {"name": "c", "image": "busybox", **({"restartPolicy": "Always"} if sidecar else {})}
    found = ContainerId("u", "c", 0)
    ended = ContainerState(found, 1.0, 2.0, code if isinstance(code, int) else 1, reason="x")
    state = None if code == "waiting" else ContainerState(found, 1.0) if code == "running" else ended
    return View(spec, init=init, state=state, last=ended if last else None)


def pod(policy: str = "Always", **spec: Any) -> Object:
    return POD.new("p", "default", spec={"restartPolicy": policy, "containers": [], **spec})


@pytest.mark.parametrize(
    ("policy", "views", "phase"),
    [
        ("Never", [view()], "Pending"),
        ("Never", [view("running")], "Running"),
        ("Never", [view("running"), view()], "Pending"),
        ("Never", [view(0), view("running")], "Running"),
        ("Never", [view(0), view(0)], "Succeeded"),
        ("Never", [view(0), view(1)], "Failed"),
        ("OnFailure", [view(1)], "Running"),
        ("OnFailure", [view(0)], "Succeeded"),
        ("OnFailure", [view(last=True)], "Running"),
        ("Always", [view(0)], "Running"),
        ("Always", [view(last=True)], "Running"),
        ("Never", [view(1, init=True), view()], "Failed"),
        ("Always", [view(1, init=True), view()], "Pending"),
        ("Never", [view("running", init=True), view()], "Pending"),
        ("Never", [view("running", init=True, sidecar=True), view(0)], "Running"),
        ("Never", [view(143, init=True, sidecar=True), view(0)], "Succeeded"),
    ],
)
def test_the_phase(policy: str, views: list[View], phase: str) -> None:
    assert phase_of(pod(policy), views) == phase


@pytest.mark.parametrize(
    ("resources", "qos"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
        ([{"limits": {"nvidia.com/gpu": "1"}}], "BestEffort"),
    ],
)
def test_the_class_of_service(resources: list[Object], qos: str) -> None:
    containers = [{"name": f"c{number}", "resources": each} for number, each in enumerate(resources)]
    assert qos_class(pod(containers=containers)) == qos


def test_a_condition_keeps_its_time_while_it_does_not_change() -> None:
    running = view("running")
    first = pod_status(pod(), [running], PLACE, now=100.0)
    later = pod_status({**pod(), "status": first}, [running], PLACE, now=200.0)
    assert later == first
    running.ready = True
    changed = pod_status({**pod(), "status": first}, [running], PLACE, now=300.0)
    times = {each["type"]: each["lastTransitionTime"] for each in changed["conditions"]}
    assert times["Ready"] == "1970-01-01T00:05:00Z"
    assert times["Initialized"] == "1970-01-01T00:01:40Z"


def test_a_readiness_gate_counts() -> None:
    running = view("running")
    running.ready = True
    gated = pod(readinessGates=[{"conditionType": "example.com/in-service"}])
    ready = {each["type"]: each["status"] for each in pod_status(gated, [running], PLACE, 0.0)["conditions"]}
    assert (ready["ContainersReady"], ready["Ready"]) == ("True", "False")


def test_what_the_scheduler_said_is_taken_back() -> None:
    waited = {**pod(), "status": {"reason": "Unschedulable", "message": "no room"}}
    status = pod_status(waited, [view("running")], PLACE, 0.0)
    assert (status["reason"], status["message"]) == (None, None)


@pytest.mark.parametrize(
    ("policy", "own", "rules", "code", "again"),
    [
        ("Never", "", [], 1, False),
        ("Never", "OnFailure", [], 1, True),
        ("Always", "Never", [], 0, False),
        ("Never", "Never", [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}], 42, True),
        ("Never", "Never", [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}], 1, False),
        ("Never", "Never", [{"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [1]}}], 3, True),
    ],
)
def test_a_containers_own_rules_come_before_the_pods(
    policy: str, own: str, rules: list[Object], code: int, again: bool
) -> None:
    spec = {"name": "c", "image": "i", **({"restartPolicy": own} if own else {}), "restartPolicyRules": rules}
    ended = View(spec, state=ContainerState(ContainerId("p", "c", 0), 1.0, 2.0, code))
    its_pod = {"spec": {"restartPolicy": policy, "containers": [spec]}}
    assert runs_again(its_pod, ended) is again
    assert (phase_of(its_pod, [ended]) == "Running") is again
