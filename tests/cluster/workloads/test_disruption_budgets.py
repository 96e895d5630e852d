"""What a disruption budget says of the pods that it covers."""

from __future__ import annotations

from typing import Any

import pytest
from pretend_cluster import Here

from fairway.cluster.workloads import budget_render
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import DEPLOYMENT, JOB, POD, POD_DISRUPTION_BUDGET, Object

LABELS = {"app": "web"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}


def budget(**spec: Any) -> Object:
    spec = {"selector": {"matchLabels": LABELS}, **spec}
    return POD_DISRUPTION_BUDGET.new("b", "default", spec=spec, metadata={"generation": 1})


async def deploy(here: Here, replicas: int) -> None:
    spec = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}
    await here.client.create(DEPLOYMENT, DEPLOYMENT.new("web", "default", spec=spec))


async def until(here: Here, **fields: Any) -> Object:
    def holds(found: Object) -> bool:
        return fields.items() <= (found.get("status") or {}).items()

    return await here.until(POD_DISRUPTION_BUDGET, "b", holds)


async def evict(here: Here, name: str) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    await here.client.transport.request("POST", POD.path("default", name, "eviction"), body=body)


async def test_a_budget_follows_the_pods_of_a_deployment(here: Here) -> None:
    await deploy(here, 4)
    await here.client.create(POD_DISRUPTION_BUDGET, budget(maxUnavailable="25%"))
    found = await until(here, disruptionsAllowed=1, currentHealthy=4, desiredHealthy=3, expectedPods=4)
    (condition,) = found["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "DisruptionAllowed",
        "True",
        "SufficientPods",
    )
    pod = (await here.pods("app=web"))[0]
    await evict(here, meta.name(pod))
    await here.until_gone(POD, meta.name(pod))
    # The Deployment makes another one, and the budget allows the next.
    await until(here, disruptionsAllowed=1, currentHealthy=4)


async def test_a_change_of_a_budget_is_followed(here: Here) -> None:
    await deploy(here, 2)
    await here.client.create(POD_DISRUPTION_BUDGET, budget(minAvailable=2))
    await until(here, disruptionsAllowed=0, currentHealthy=2, desiredHealthy=2, expectedPods=2)
    await here.client.patch(POD_DISRUPTION_BUDGET, "b", "default", {"spec": {"minAvailable": "50%"}})
    await until(here, disruptionsAllowed=1, desiredHealthy=1, observedGeneration=2)


async def test_owners_that_do_not_scale_are_said(here: Here) -> None:
    spec = {"template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}}  # type: ignore[dict-item]
    await here.client.create(JOB, JOB.new("once", "default", spec=spec))
    await here.until_pods(lambda pods: len(pods) == 1)
    await here.client.create(POD_DISRUPTION_BUDGET, budget(maxUnavailable=1))
    found = await here.until(POD_DISRUPTION_BUDGET, "b", lambda b: (b.get("status") or {}).get("conditions"))
    (condition,) = found["status"]["conditions"]
    assert condition["reason"] == "SyncFailed"
    assert condition["message"] == "jobs.batch does not implement the scale subresource"
    assert found["status"]["disruptionsAllowed"] == 0


def a_pod(name: str, *, ready: bool = True) -> Object:
    return POD.new(name, "default", status={"conditions": [{"type": "Ready", "status": str(ready)}]})


@pytest.mark.parametrize(
    ("spec", "healthy", "expected", "allowed"),
    [
        ({"minAvailable": 1}, 3, 3, 2),
        ({"minAvailable": 0}, 3, 3, 3),
        ({"minAvailable": "50%"}, 3, 3, 1),
        ({"maxUnavailable": 0}, 3, 3, 0),
        ({"maxUnavailable": 1}, 3, 5, 0),
        ({"maxUnavailable": "30%"}, 3, 3, 1),
        ({"minAvailable": 5}, 3, 3, 0),
        ({"maxUnavailable": 1}, 0, 0, 0),
    ],
)
def test_how_many_may_be_missing(spec: Object, healthy: int, expected: int, allowed: int) -> None:
    pods = [a_pod(f"p{number}") for number in range(healthy)] + [a_pod("unready", ready=False)]
    status, again = budget_render.status(budget(**spec), pods, expected, 0.0)
    assert (status["disruptionsAllowed"], status["currentHealthy"], again) == (allowed, healthy, None)


def test_a_pod_whose_eviction_was_allowed_is_not_counted_on_for_a_while() -> None:
    covering = budget(minAvailable=1)
    covering["status"] = {"disruptedPods": {"a": "2020-01-01T00:00:00Z", "gone": "2020-01-01T00:00:00Z"}}
    since = 1_577_836_800.0
    status, again = budget_render.status(covering, [a_pod("a"), a_pod("b")], 2, since + 20)
    assert (status["disruptionsAllowed"], status["currentHealthy"], again) == (0, 1, 100.0)
    assert status["disruptedPods"] == {"a": "2020-01-01T00:00:00Z"}
    status, again = budget_render.status(covering, [a_pod("a"), a_pod("b")], 2, since + 121)
    assert (status["disruptionsAllowed"], status["currentHealthy"], again) == (1, 2, None)
