"""Pods have the priority of their class; classes keep to upstream's rules."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import POD, PRIORITY_CLASS, Object
from tests.cluster.api.world import World, pod


@pytest.fixture
def client(world: World) -> Client:
    return Client(world.server.transport(Identity("admin", ("system:masters",))))


def with_spec(name: str, **spec: Any) -> Object:
    made = pod(name)
    made["spec"] |= spec
    return made


async def test_a_pod_without_a_class_has_priority_zero(client: Client) -> None:
    spec = (await client.create(POD, pod("plain")))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert "priorityClassName" not in spec


async def test_a_pod_has_what_its_class_says(client: Client) -> None:
    await client.create(PRIORITY_CLASS, PRIORITY_CLASS.new("late", value=-5, preemptionPolicy="Never"))
    spec = (await client.create(POD, with_spec("p", priorityClassName="late")))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (-5, "Never")
    critical = await client.create(POD, with_spec("q", priorityClassName="system-node-critical"))
    assert critical["spec"]["priority"] == 2_000_001_000


async def test_the_default_class_is_for_pods_that_name_none_and_is_alone(client: Client) -> None:
    await client.create(PRIORITY_CLASS, PRIORITY_CLASS.new("usual", value=7, globalDefault=True))
    spec = (await client.create(POD, pod("p")))["spec"]
    assert (spec["priorityClassName"], spec["priority"]) == ("usual", 7)
    with pytest.raises(errors.Forbidden, match=r"PriorityClass usual is already marked as default. Only one default"):
        await client.create(PRIORITY_CLASS, PRIORITY_CLASS.new("other", value=8, globalDefault=True))
    await client.patch(PRIORITY_CLASS, "usual", None, {"description": "the default may change otherwise"})


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"priorityClassName": "nope"}, 'pods "p" is forbidden: no PriorityClass with name nope was found'),
        (
            {"priority": 5},
            'pods "p" is forbidden: the integer value of priority (5) must not be provided in pod spec; '
            "priority admission controller computed 0 from the given PriorityClass name",
        ),
        (
            {"preemptionPolicy": "Never"},
            'pods "p" is forbidden: the string value of PreemptionPolicy (Never) must not be provided in pod spec; '
            "priority admission controller computed PreemptLowerPriority from the given PriorityClass name",
        ),
    ],
)
async def test_a_pod_may_not_choose_by_itself(client: Client, spec: Object, text: str) -> None:
    with pytest.raises(errors.Forbidden) as refused:
        await client.create(POD, with_spec("p", **spec))
    assert refused.value.message == text


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        ("high", {"value": 1_000_000_001}, "maximum allowed value of a user defined priority is 1000000000"),
        ("system-mine", {"value": 1}, "system-mine is not a known system priority class"),
        ("odd", {"value": 1, "preemptionPolicy": "Maybe"}, 'supported values: "Never", "PreemptLowerPriority"'),
    ],
)
async def test_a_class_that_cannot_be(client: Client, name: str, fields: Object, text: str) -> None:
    with pytest.raises(errors.Invalid, match=text):
        await client.create(PRIORITY_CLASS, PRIORITY_CLASS.new(name, **fields))


async def test_the_value_of_a_class_stays(client: Client) -> None:
    await client.create(PRIORITY_CLASS, PRIORITY_CLASS.new("one", value=1))
    with pytest.raises(errors.Invalid, match=r"value: Forbidden: may not be changed in an update\."):
        await client.patch(PRIORITY_CLASS, "one", None, {"value": 2})
    with pytest.raises(errors.Invalid, match=r"preemptionPolicy: Invalid value.*field is immutable"):
        await client.patch(PRIORITY_CLASS, "one", None, {"preemptionPolicy": "Never"})


async def test_a_pod_keeps_its_priority_when_it_is_written_whole(client: Client) -> None:
    await client.create(PRIORITY_CLASS, PRIORITY_CLASS.new("late", value=-5, preemptionPolicy="Never"))
    given = with_spec("p", priorityClassName="late")
    await client.create(POD, given)
    given["metadata"]["labels"] = {"a": "b"}
    written = await client.update(POD, given)
    assert (written["spec"]["priority"], written["spec"]["preemptionPolicy"]) == (-5, "Never")
    assert written["metadata"]["labels"] == {"a": "b"}
