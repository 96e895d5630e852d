"""HorizontalPodAutoscaler by metrics of other servers: an adapter behind an APIService, asked as upstream asks it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.api import extension_server as behind
from tests.cluster.api.metrics_adapter import CUSTOM, EXTERNAL, MetricsAdapter

from fairway.cluster.workloads import metric_wishes
from fairway.cluster.workloads.horizontal import CannotMeasure, Tolerances
from fairway.kernel.client.client import Client
from fairway.kernel.clock import FakeClock
from fairway.kernel.objects import conditions, errors, meta, quantities
from fairway.kernel.objects.kinds import (
    API_SERVICE,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    POD,
    SERVICE,
    Kind,
    Object,
)
from fairway.testing.cluster import cluster

USUAL = Tolerances()


def queue(selector: Object | None = None, **target: str) -> Object:
    metric = {"name": "queue_length", **({"selector": {"matchLabels": selector}} if selector else {})}
    return {"type": "External", "external": {"metric": metric, "target": _target(target)}}


def rate(**target: str) -> Object:
    described = {"apiVersion": "v1", "kind": "Service", "name": "web"}
    source = {"metric": {"name": "requests"}, "describedObject": described, "target": _target(target)}
    return {"type": "Object", "object": source}


def per_pod(average: str) -> Object:
    return {"type": "Pods", "pods": {"metric": {"name": "busy"}, "target": _target({"averageValue": average})}}


def _target(target: dict[str, str]) -> Object:
    return {"type": "AverageValue" if "averageValue" in target else "Value", **target}


def _pod(name: str, phase: str = "Running", *, ready: bool = True, going: bool = False) -> Object:
    status = {"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]}
    metadata = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if going else {}
    return POD.new(name, "default", metadata=metadata, status=status)


@pytest.mark.parametrize(
    ("metric", "values", "scale", "wanted", "shown"),
    [
        (queue(value="10"), ["30"], (2, 2), 6, {"value": "30"}),
        (queue(value="10"), ["10500m"], (2, 2), 2, {"value": "10500m"}),  # within a tenth
        (queue(value="10"), ["2", "3"], (2, 2), 1, {"value": "5"}),  # several series are one sum
        (queue(averageValue="10"), ["25", "20"], (2, 2), 5, {"averageValue": "22500m"}),
        (queue(averageValue="10"), ["21"], (2, 2), 2, {"averageValue": "10500m"}),
        (queue(averageValue="10"), ["25"], (1, 0), 3, {"averageValue": "25"}),  # nothing runs yet
        (rate(value="1k"), ["2500"], (2, 2), 5, {"value": "2500"}),
        (rate(averageValue="100"), ["150m"], (2, 2), 1, {"averageValue": "75m"}),
    ],
)
def test_a_value_is_in_proportion_to_who_is_ready_and_an_average_is_for_each(
    metric: Object, values: list[str], scale: tuple[int, int], wanted: int, shown: Object
) -> None:
    pods = [_pod("a"), _pod("b"), _pod("c", ready=False)]
    amounts = [quantities.parse(each) for each in values]
    wish = metric_wishes.of_values(metric, amounts, pods, scale, USUAL)
    assert wish.replicas == wanted
    source = wish.current[metric_wishes.part(metric)]
    assert source["current"] == shown
    assert source["metric"] == metric[metric_wishes.part(metric)]["metric"]


@pytest.mark.parametrize(
    ("said", "pods", "replicas", "wanted"),
    [
        ({"a": 20, "b": 20}, [_pod("a"), _pod("b")], 2, 4),
        ({"a": 10, "b": 11}, [_pod("a"), _pod("b")], 2, 2),  # within a tenth
        ({"a": 2, "b": 2}, [_pod("a"), _pod("b")], 2, 1),
        ({"a": 30}, [_pod("a"), _pod("b")], 2, 3),  # b says nothing: idle, where it goes up
        ({"a": 2}, [_pod("a"), _pod("b")], 2, 2),  # and at the target, where it goes down
        ({"a": 30}, [_pod("a"), _pod("b", "Pending")], 2, 3),  # b is on its way
        ({"a": 20, "b": 90}, [_pod("a"), _pod("b", going=True)], 1, 2),  # b is on its way out
        ({"a": 20, "b": 90}, [_pod("a"), _pod("b", "Failed")], 1, 2),
    ],
)
def test_of_pods_the_average_counts(said: dict[str, int], pods: list[Object], replicas: int, wanted: int) -> None:
    values = {name: Decimal(value) for name, value in said.items()}
    assert metric_wishes.of_pods_values(per_pod("10"), values, pods, replicas, USUAL).replicas == wanted


def test_pods_that_say_nothing_are_no_measure() -> None:
    with pytest.raises(CannotMeasure, match="did not receive metrics for any ready pods") as failed:
        metric_wishes.of_pods_values(per_pod("10"), {}, [_pod("a")], 1, USUAL)
    assert failed.value.reason == "FailedGetPodsMetric"


def test_the_tolerance_may_be_another_in_each_direction() -> None:
    pods = [_pod("a"), _pod("b")]
    for value, tolerances, wanted in (
        (Decimal(25), Tolerances(up=0.3), 2),
        (Decimal(25), Tolerances(up=0.2), 3),
        (Decimal(8), Tolerances(down=0.7), 2),
        (Decimal(8), Tolerances(down=0.5), 1),
    ):
        metric = queue(value="20")
        assert metric_wishes.of_values(metric, (value,), pods, (2, 2), tolerances).replicas == wanted


@dataclass
class Here:
    client: Client
    adapter: MetricsAdapter
    clock: FakeClock

    async def scaled_by(self, *metrics: Object, replicas: int = 1) -> None:
        template = {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "python:3"}]},
        }
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        await self.client.create(DEPLOYMENT, DEPLOYMENT.new("web", "default", spec=spec))
        await self.until(DEPLOYMENT, lambda one: (one.get("status") or {}).get("replicas") == replicas)
        for pod in (await self.client.list(POD, "default")).items:
            ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            await self.client.patch_status(POD, meta.name(pod), "default", ready)
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        asked = {"scaleTargetRef": target, "maxReplicas": 10, "metrics": list(metrics)}
        await self.client.create(HORIZONTAL_POD_AUTOSCALER, HORIZONTAL_POD_AUTOSCALER.new("web", "default", spec=asked))

    async def until(self, kind: Kind, holds: Callable[[Object], Any]) -> Object:
        found = await self.client.wait(kind, "web", "default", lambda one: one is not None and holds(one), timeout=60)
        assert found is not None
        return found

    async def says(self, status: str, reason: str) -> Object:
        """The autoscaler, once its condition ScalingActive is so."""

        def active(scaler: Object) -> bool:
            found = conditions.find(scaler, "ScalingActive") or {}
            return (found.get("status"), found.get("reason")) == (status, reason)

        return await self.until(HORIZONTAL_POD_AUTOSCALER, active)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Here, None]:
    clock = FakeClock()
    async with cluster(tmp_path, clock=clock) as made:
        adapter = MetricsAdapter(tmp_path / "adapter")
        await adapter.start(made.client)
        await behind.furnish(made.client, adapter.port)
        for group, version in (EXTERNAL, CUSTOM):
            service = behind.api_service(group=group, version=version, caBundle=adapter.bundle)
            service["metadata"]["name"] = name = f"{version}.{group}"
            await made.client.create(API_SERVICE, service)
            await made.client.wait(
                API_SERVICE, name, None, lambda one: one is not None and conditions.is_true(one, "Available")
            )
        yield Here(made.client, adapter, clock)
        await adapter.stop()


async def test_a_queue_that_is_long_brings_workers_and_one_that_cannot_be_read_changes_nothing(here: Here) -> None:
    path = here.adapter.external("queue_length", "40")
    await here.scaled_by(queue({"name": "jobs"}, value="10"))
    await here.until(DEPLOYMENT, lambda one: one["spec"]["replicas"] == 4)
    scaler = await here.says("True", "ValidMetricFound")
    (current,) = scaler["status"]["currentMetrics"]
    assert current["external"]["current"] == {"value": "40"}
    assert (path, {"labelSelector": "name=jobs"}) in here.adapter.queries
    here.adapter.items.clear()
    await here.clock.advance(15)
    scaler = await here.says("False", "FailedGetExternalMetric")
    said = (conditions.find(scaler, "ScalingActive") or {})["message"]
    assert said == (
        "the HPA was unable to compute the replica count: unable to get external metric "
        "default/queue_length/name=jobs: unable to fetch metrics from external metrics API: "
        "no metrics returned from external metrics API"
    )
    await here.clock.advance(600)
    assert (await here.client.get(DEPLOYMENT, "web", "default"))["spec"]["replicas"] == 4


async def test_what_is_another_number_each_time_is_asked_for_once_in_a_period(here: Here) -> None:
    """The autoscaler's own status comes back to it as a change."""

    class Rising(dict[str, list[Object]]):
        asked = 0

        def get(self, path: str, default: Any = None) -> Any:
            if not path.endswith("/queue_length"):
                return default
            self.asked += 1
            return [{"metricName": "queue_length", "value": str(10 + self.asked)}]

    here.adapter.items = rising = Rising()
    await here.scaled_by(queue(averageValue="1000"))
    await here.says("True", "ValidMetricFound")
    for number in range(20):
        await here.client.create(SERVICE, SERVICE.new(f"s{number}", "default", spec={"ports": [{"port": 80}]}))
    assert rising.asked == 1
    await here.clock.advance(15)
    await here.until(
        HORIZONTAL_POD_AUTOSCALER,
        lambda one: one["status"]["currentMetrics"][0]["external"]["current"] == {"averageValue": "12"},
    )


async def test_of_several_metrics_the_one_that_wants_most_counts(here: Here) -> None:
    await here.client.create(SERVICE, SERVICE.new("web", "default", spec={"ports": [{"port": 80}]}))
    here.adapter.external("queue_length", "20")
    of_service = here.adapter.custom("services/web/requests", ("web", "50"))
    await here.scaled_by(queue(averageValue="10"), rate(value="10"))
    scaler = await here.says("True", "ValidMetricFound")
    assert scaler["status"]["desiredReplicas"] == 5
    kinds = [each["type"] for each in scaler["status"]["currentMetrics"]]
    assert kinds == ["External", "Object"]
    assert (of_service, {}) in here.adapter.queries


async def test_one_that_is_missing_keeps_the_others_from_scaling_down_but_not_up(here: Here) -> None:
    here.adapter.external("queue_length", "10")
    await here.scaled_by(queue(averageValue="10"), rate(value="10"), replicas=3)
    scaler = await here.says("False", "FailedGetObjectMetric")
    said = (conditions.find(scaler, "ScalingActive") or {})["message"]
    assert "unable to get metric requests: unable to fetch metrics from custom metrics API" in said
    assert said.endswith("on Service default/web")
    assert (await here.client.get(DEPLOYMENT, "web", "default"))["spec"]["replicas"] == 3
    here.adapter.external("queue_length", "60")
    await here.clock.advance(15)
    await here.until(DEPLOYMENT, lambda one: one["spec"]["replicas"] == 6)


async def test_what_each_pod_says_is_asked_by_the_labels_of_the_target(here: Here) -> None:
    path = here.adapter.custom("pods/*/busy")
    await here.scaled_by(per_pod("10"))
    (pod,) = (await here.client.list(POD, "default")).items
    here.adapter.custom("pods/*/busy", (meta.name(pod), "30"))
    await here.clock.advance(15)
    await here.until(DEPLOYMENT, lambda one: one["spec"]["replicas"] == 3)
    assert (path, {"labelSelector": "app=web"}) in here.adapter.queries


async def test_without_an_adapter_it_says_which_one_is_missing(here: Here) -> None:
    for group, version in (EXTERNAL, CUSTOM):
        await here.client.delete(API_SERVICE, f"{version}.{group}")
    await here.scaled_by(per_pod("10"))
    scaler = await here.says("False", "FailedGetPodsMetric")
    said = (conditions.find(scaler, "ScalingActive") or {})["message"]
    assert said.endswith("no custom metrics API (custom.metrics.k8s.io) registered")


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ({"type": "Weather"}, 'spec.metrics[0].type: Unsupported value: "Weather"'),
        (
            {"type": "External"},
            "spec.metrics[0].external: Required value: must populate information for the given metric",
        ),
        (
            {**queue(value="1"), "pods": per_pod("1")["pods"]},
            "spec.metrics[0].pods: Forbidden: must populate the given",
        ),
        (queue(value="0"), 'spec.metrics[0].external.target.value: Invalid value: "0": must be positive'),
        (queue(value="1", averageValue="1"), "may not set both a target value for metric and a per-pod target"),
        (queue(), "must set either a target value for metric or a per-pod target"),
    ],
)
async def test_what_is_wrong_with_a_metric_is_said_when_it_is_written(here: Here, metric: Object, said: str) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "maxReplicas": 2, "metrics": [metric]}
    with pytest.raises(errors.Invalid) as refused:
        await here.client.create(HORIZONTAL_POD_AUTOSCALER, HORIZONTAL_POD_AUTOSCALER.new("web", "default", spec=spec))
    assert said in str(refused.value)
