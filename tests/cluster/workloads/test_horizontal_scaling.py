"""HorizontalPodAutoscaler: what is wanted for which usage, how fast, and the whole way with a pod that is busy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.api import horizontal_views
from fairway.cluster.workloads import horizontal
from fairway.cluster.workloads.horizontal import CannotMeasure, Memory
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import (
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    NODE_METRICS,
    POD,
    POD_METRICS,
    Kind,
    Object,
)
from fairway.testing.cluster import cluster

NOW = 1_700_000_000.0
V1 = Kind("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers")


def _metric(resource: str = "cpu", **target: Any) -> Object:
    return {"type": "Resource", "resource": {"name": resource, "target": target or {"averageUtilization": 50}}}


def _pod(name: str, *, ready: bool = True) -> Object:
    container = {"name": "c", "resources": {"requests": {"cpu": "100m", "memory": "100Mi"}}}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    return POD.new(name, "default", spec={"containers": [container]}, status=status)


@pytest.mark.parametrize(
    ("used", "replicas", "wanted"),
    [
        ((0.05, 0.05), 2, 2),
        ((0.054, 0.054), 2, 2),  # within a tenth
        ((0.1, 0.1), 2, 4),
        ((0.1, 0.02), 2, 3),
        ((0.01, 0.01), 2, 1),
        ((0.1,), 3, 3),  # two are on their way: no turn
    ],
)
def test_replicas_by_usage(used: tuple[float, ...], replicas: int, wanted: int) -> None:
    pods = [_pod(f"p{number}") for number in range(len(used))]
    usages = {f"p{number}": {"cpu": one} for number, one in enumerate(used)}
    assert horizontal.wish(_metric(), pods, usages, replicas).replicas == wanted


@pytest.mark.parametrize(
    ("used", "waiting", "silent", "target", "wanted"),
    [
        ((0.4, 0.095), 0, 2, 100, 3),
        ((1.0,), 0, 1, 100, 2),
        ((1.9,), 0, 1, 100, 2),
        ((0.6,), 0, 1, 100, 2),
        ((0.1, 0.45), 1, 0, 50, 2),
        ((0.5, 0.7), 1, 0, 30, 4),
        ((0.4, 0.5, 0.7), 1, 0, 30, 6),
        ((2.0,), 1, 1, 50, 4),
        ((0.1,) * 2, 0, 8, 80, 10),
    ],
)
def test_pods_that_say_nothing_or_are_on_their_way_are_taken_as_upstream_takes_them(
    used: tuple[float, ...], waiting: int, silent: int, target: int, wanted: int
) -> None:
    """As in upstream's table (TestReplicaCalc...); each pod requests one core."""
    pods = [_pod(f"p{number}") for number in range(len(used) + silent)]
    pods += [_pod(f"w{number}", ready=False) for number in range(waiting)]
    for pod in pods:
        pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "1"
    usages = {f"p{number}": {"cpu": one} for number, one in enumerate(used)}
    assert horizontal.wish(_metric(averageUtilization=target), pods, usages, len(pods)).replicas == wanted


def test_memory_by_value() -> None:
    metric = _metric("memory", averageValue="50Mi")
    found = horizontal.wish(metric, [_pod("p")], {"p": {"memory": 100 * 2**20}}, 1)
    assert found.replicas == 2
    assert found.current["resource"]["current"] == {"averageValue": str(100 * 2**20)}


def test_one_container_may_be_what_counts() -> None:
    pod = _pod("p")
    pod["spec"]["containers"].append({"name": "side", "resources": {"requests": {"cpu": "900m"}}})
    looked_at = {"name": "cpu", "container": "c", "target": {"averageUtilization": 50}}
    metric = {"type": "ContainerResource", "containerResource": looked_at}
    assert horizontal.container_of(metric) == "c"
    found = horizontal.wish(metric, [pod], {"p": {"cpu": 0.1}}, 1)
    assert found.replicas == 2  # all that the container requests; of the pod it is a tenth
    assert found.current["containerResource"]["current"]["averageUtilization"] == 100


@pytest.mark.parametrize(
    ("metric", "pods", "says"),
    [
        (_metric(), [_pod("p", ready=False)], "no ready pod"),
        (_metric(), [{**_pod("p"), "spec": {"containers": [{"name": "c"}]}}], "request no cpu"),
    ],
)
def test_what_cannot_be_measured_is_said_by_name(metric: Object, pods: list[Object], says: str) -> None:
    with pytest.raises(CannotMeasure, match=says):
        horizontal.wish(metric, pods, {"p": {"cpu": 0.1}}, 1)


def _decide(wanted: int, replicas: int, memory: Memory, later: float = 0, **spec: Any) -> tuple[int, str]:
    return horizontal.decide({"maxReplicas": 100, **spec}, replicas, wanted, memory, NOW + later)


def test_it_grows_by_four_or_doubles_each_quarter_of_a_minute() -> None:
    memory = Memory()
    assert _decide(50, 1, memory) == (5, "ScaleUpLimit")
    assert _decide(50, 5, memory, 5) == (5, "ScaleUpLimit")
    assert _decide(50, 5, memory, 16) == (10, "ScaleUpLimit")


def test_it_shrinks_to_the_most_that_was_wanted_in_five_minutes() -> None:
    memory = Memory()
    assert _decide(8, 8, memory) == (8, "")
    assert _decide(2, 8, memory, 15) == (8, "ScaleDownStabilized")
    assert _decide(3, 8, memory, 290) == (8, "ScaleDownStabilized")
    assert _decide(2, 8, memory, 310) == (3, "ScaleDownStabilized")


def test_a_scaler_that_is_new_here_shrinks_nothing_before_its_window_is_over() -> None:
    """As after a restart of the platform: what was wanted before is not known any more."""
    memory = Memory()
    assert _decide(2, 8, memory) == (8, "ScaleDownStabilized")
    assert _decide(2, 8, memory, 299) == (8, "ScaleDownStabilized")
    assert _decide(2, 8, memory, 301) == (2, "")


def test_what_shrank_within_a_period_may_grow_back_beside_what_the_period_allows() -> None:
    """Policies count from what there was when their period began."""
    two = {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}
    quick = {"scaleDown": {"stabilizationWindowSeconds": 0}, "scaleUp": two}
    memory = Memory()
    assert _decide(4, 10, memory, behavior=quick) == (4, "")
    assert _decide(20, 4, memory, 15, behavior=quick) == (12, "ScaleUpLimit")


def test_the_bounds_have_the_last_word() -> None:
    assert _decide(3, 2, Memory(), maxReplicas=2) == (2, "TooManyReplicas")
    quick = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    assert _decide(1, 5, Memory(), minReplicas=2, behavior=quick) == (2, "TooFewReplicas")


def test_a_direction_can_be_forbidden_or_slowed() -> None:
    never = {"scaleUp": {"selectPolicy": "Disabled"}}
    assert _decide(9, 2, Memory(), behavior=never) == (2, "ScaleUpLimit")
    one = [{"type": "Pods", "value": 1, "periodSeconds": 60}]
    slowly = {"scaleDown": {"stabilizationWindowSeconds": 0, "policies": one}}
    memory = Memory()
    assert _decide(1, 5, memory, behavior=slowly) == (4, "ScaleDownLimit")
    assert _decide(1, 4, memory, 30, behavior=slowly) == (4, "ScaleDownLimit")
    assert _decide(1, 4, memory, 61, behavior=slowly) == (3, "ScaleDownLimit")


def test_the_older_version_loses_nothing() -> None:
    spec = {
        "scaleTargetRef": {"kind": "Deployment", "name": "d"},
        "maxReplicas": 3,
        "metrics": [_metric(type="Utilization", averageUtilization=50), _metric("memory", averageUtilization=70)],
        "behavior": {"scaleUp": {"selectPolicy": "Disabled"}},
    }
    obj = HORIZONTAL_POD_AUTOSCALER.new("d", "default", spec=spec)
    old = horizontal_views.to_v1(obj)
    assert old["spec"]["targetCPUUtilizationPercentage"] == 50
    assert "metrics" not in old["spec"]
    assert horizontal_views.to_v2(old) == obj


def _idle(pod: Object) -> bool:
    return int(pod["containers"][0]["usage"]["cpu"].removesuffix("n")) == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_busy_pod_gets_company(tmp_path: Path) -> None:
    container = {
        "name": "busy",
        "image": "python:3",
        "command": ["python3", "-c", "while True: sum(range(10000))"],
        "resources": {"requests": {"cpu": "50m"}},
    }
    template = {"metadata": {"labels": {"app": "busy"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "busy"}}, "template": template}
    async with cluster(tmp_path, node=True) as here:
        client = here.client

        async def until(kind: Kind, holds: Any) -> Object:
            found = await client.wait(kind, "busy", "default", lambda one: one is not None and holds(one), timeout=60)
            assert found is not None
            return found

        await client.create(DEPLOYMENT, DEPLOYMENT.new("busy", "default", spec=spec))
        await until(DEPLOYMENT, lambda one: (one.get("status") or {}).get("readyReplicas") == 1)
        async with asyncio.timeout(60):
            while not (pods := (await client.list(POD_METRICS, "default", labels="app=busy")).items) or _idle(pods[0]):
                await asyncio.sleep(0.1)
        (pod,) = pods
        assert pod["containers"][0]["name"] == "busy"
        (node,) = (await client.list(NODE_METRICS)).items
        assert int(node["usage"]["memory"].removesuffix("Ki")) > 0
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"}
        asked = {"scaleTargetRef": target, "maxReplicas": 2, "targetCPUUtilizationPercentage": 50}
        await client.create(V1, V1.new("busy", "default", spec=asked))
        await until(DEPLOYMENT, lambda one: one["spec"]["replicas"] == 2)
        scaler = await until(HORIZONTAL_POD_AUTOSCALER, lambda one: conditions.is_true(one, "ScalingActive"))
        assert scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
