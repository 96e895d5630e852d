"""A GPU has one pod: where none is free a new version takes the place of the one before, and it is said so."""

from __future__ import annotations

import pytest

from fairway.kernel.objects.kinds import DEPLOYMENT, NODE, POD, Object
from fairway.serving.kinds import RENDERED
from fairway.serving.render import workload
from fairway.serving.render.children import Children
from fairway.serving.rollout import devices
from fairway.serving.scaling import contract as contracts
from fairway.serving.scaling.contract import Contract

GPU = "nvidia.com/gpu"


def _spec(count: int) -> Object:
    return {"containers": [{"name": "c", "resources": {"limits": {GPU: str(count), "memory": "1Gi"}}}]}


def _pod(count: int, phase: str = "Running") -> Object:
    return POD.new("p", "default", spec={**_spec(count), "nodeName": "n"}, status={"phase": phase})


def _deployment(version: str, count: int = 1, strategy: Object | None = None) -> Object:
    spec = {"strategy": strategy or workload.NO_GAP, "template": {"spec": _spec(count)}}
    made = DEPLOYMENT.new("iris", "default", metadata={"annotations": {RENDERED: version}}, spec=spec)
    return contracts.written(made, Contract("none", "iris"))


NODES = [NODE.new("n", status={"allocatable": {GPU: "2", "cpu": "8"}}), NODE.new("plain", status={})]


@pytest.mark.parametrize(
    ("pods", "count"), [([], 2), ([_pod(1)], 1), ([_pod(1), _pod(1)], 0), ([_pod(2, "Succeeded")], 2)]
)
def test_what_is_free_is_what_no_pod_has(pods: list[Object], count: int) -> None:
    assert devices.free(GPU, NODES, pods) == count


@pytest.mark.parametrize(("count", "used", "in_place"), [(1, 1, False), (1, 2, True), (2, 1, True), (0, 2, False)])
def test_a_new_version_starts_in_place_only_where_nothing_is_free(count: int, used: int, in_place: bool) -> None:
    wanted = Children(deployments=(_deployment("new", count),))
    found, said = devices.fitted(wanted, {"iris": _deployment("old", count)}, NODES, [_pod(1)] * used)
    (deployment,) = found.deployments
    assert (deployment["spec"]["strategy"] == devices.IN_PLACE) is in_place
    contract = contracts.read(deployment)
    assert contract is not None
    assert contract.hold is in_place, "requests wait for the new one at the activator"
    assert [one[0] for one in said] == (["RolloutInPlace"] if in_place else [])


@pytest.mark.parametrize("strategy", [workload.NO_GAP, devices.IN_PLACE])
def test_it_is_chosen_once_for_a_version(strategy: Object) -> None:
    """The new pod itself takes the device that was free, and must not turn the choice."""
    wanted = Children(deployments=(_deployment("new"),))
    there = {"iris": _deployment("new", strategy=strategy)}
    for used in (0, 2):
        (deployment,) = devices.fitted(wanted, there, NODES, [_pod(1)] * used)[0].deployments
        assert deployment["spec"]["strategy"] == strategy


def test_the_first_version_and_a_strategy_of_the_users_own_stay_as_they_are() -> None:
    own = {"type": "Recreate"}
    full = [_pod(1)] * 2
    wanted = Children(deployments=(_deployment("new", strategy=own),))
    assert devices.fitted(wanted, {"iris": _deployment("old")}, NODES, full) == (wanted, ())
    first = Children(deployments=(_deployment("new"),))
    assert devices.fitted(first, {}, NODES, full) == (first, ())
