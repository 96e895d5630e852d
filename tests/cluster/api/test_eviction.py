"""Eviction: a pod goes if its budget allows it, and otherwise the client is told to come back."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import POD, POD_DISRUPTION_BUDGET, Object
from tests.cluster.api.world import World, pod

LABELS = {"app": "web"}


@pytest.fixture
def client(world: World) -> Client:
    return Client(world.server.transport(Identity("admin", ("system:masters",))))


async def running(client: Client, name: str, *, ready: bool = True) -> Object:
    await client.create(POD, pod(name, labels=LABELS))
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": "2020-01-01T00:00:00Z"}
    return await client.patch_status(POD, name, "default", {"phase": "Running", "conditions": [condition]})


async def budget(client: Client, name: str = "b", *, allowed: int = 0, **spec: Any) -> Object:
    spec = {"minAvailable": 1, "selector": {"matchLabels": LABELS}, **spec}
    await client.create(POD_DISRUPTION_BUDGET, POD_DISRUPTION_BUDGET.new(name, "default", spec=spec))
    status = {"observedGeneration": 1, "disruptionsAllowed": allowed, "desiredHealthy": 1, "currentHealthy": 1}
    return await client.patch_status(POD_DISRUPTION_BUDGET, name, "default", {**status, "expectedPods": 1})


async def evict(client: Client, name: str, query: dict[str, str] | None = None, **options: Any) -> Object:
    body: Object = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
    if options:
        body["deleteOptions"] = options
    return await client.transport.request("POST", POD.path("default", name, "eviction"), query=query, body=body)


async def test_without_a_budget_a_pod_is_just_deleted(client: Client) -> None:
    await running(client, "a")
    assert (await evict(client, "a"))["status"] == "Success"
    assert await client.find(POD, "a", "default") is None
    with pytest.raises(errors.NotFound):
        await evict(client, "a")


async def test_a_budget_allows_so_many_and_no_more(client: Client) -> None:
    for name in ("a", "b", "c"):
        await running(client, name)
    await budget(client, allowed=1)
    answers = await asyncio.gather(*(evict(client, name) for name in ("a", "b", "c")), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, errors.TooManyRequests)]
    assert len(refused) == 2
    assert len((await client.list(POD, "default")).items) == 2
    assert refused[0].message == "Cannot evict pod as it would violate the pod's disruption budget."
    (cause,) = refused[0].details["causes"]
    assert cause["reason"] == "DisruptionBudget"
    assert cause["message"] == "The disruption budget b needs 1 healthy pods and has 1 currently"
    status = (await client.get(POD_DISRUPTION_BUDGET, "b", "default"))["status"]
    assert (status["disruptionsAllowed"], len(status["disruptedPods"])) == (0, 1)


async def test_a_budget_that_nobody_has_counted_yet_says_when_to_come_back(world: World, client: Client) -> None:
    await running(client, "a")
    await budget(client, allowed=1)
    await client.patch(POD_DISRUPTION_BUDGET, "b", "default", {"spec": {"minAvailable": 0}})
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}
    path = POD.path("default", "a", "eviction")
    code, headers, answer = await world.raw("POST", path, data=orjson.dumps(body))
    assert (code, headers["Retry-After"]) == (429, "10")
    assert "still being processed by the server" in answer.decode()


async def test_pods_that_serve_nobody_need_no_leave(client: Client) -> None:
    await budget(client)
    await client.create(POD, pod("pending", labels=LABELS))
    await evict(client, "pending")
    await running(client, "over")
    await client.patch_status(POD, "over", "default", {"phase": "Failed"})
    await evict(client, "over")
    assert not (await client.list(POD, "default")).items


async def test_a_pod_that_is_not_ready_may_go_where_the_others_are_enough(client: Client) -> None:
    await running(client, "unready", ready=False)
    await budget(client)
    await evict(client, "unready")
    await running(client, "unready", ready=False)
    await client.patch_status(POD_DISRUPTION_BUDGET, "b", "default", {"currentHealthy": 0})
    with pytest.raises(errors.TooManyRequests):
        await evict(client, "unready")
    patch = {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}}
    await client.patch(POD_DISRUPTION_BUDGET, "b", "default", patch)
    await evict(client, "unready")


async def test_a_dry_run_takes_nothing(client: Client) -> None:
    await running(client, "a")
    await budget(client, allowed=1)
    await evict(client, "a", {"dryRun": "All"})
    await evict(client, "a", dryRun=["All"])
    assert (await client.get(POD_DISRUPTION_BUDGET, "b", "default"))["status"]["disruptionsAllowed"] == 1
    assert await client.find(POD, "a", "default")


async def test_preconditions_and_names_are_kept_to(client: Client) -> None:
    await running(client, "a")
    with pytest.raises(errors.Conflict, match="Precondition failed: UID"):
        await evict(client, "a", preconditions={"uid": "another"})
    with pytest.raises(errors.BadRequest, match="name in URL does not match name in Eviction object"):
        await client.transport.request("POST", POD.path("default", "a", "eviction"), body={"metadata": {"name": "b"}})


async def test_two_budgets_for_one_pod_are_refused(client: Client) -> None:
    await running(client, "a")
    await budget(client, "one", allowed=1)
    await budget(client, "two", allowed=1)
    with pytest.raises(errors.InternalError, match="more than one PodDisruptionBudget"):
        await evict(client, "a")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"maxUnavailable": 1}, "minAvailable and maxUnavailable cannot be both set"),
        ({"minAvailable": -1}, "must be greater than or equal to 0"),
        ({"minAvailable": "some"}, "a valid percent string"),
        ({"minAvailable": "101%"}, r"must not be greater than 100%"),
        ({"unhealthyPodEvictionPolicy": "Perhaps"}, "Unsupported value"),
    ],
)
async def test_a_budget_that_cannot_be(client: Client, spec: Object, text: str) -> None:
    with pytest.raises(errors.Invalid, match=text):
        await budget(client, **spec)
