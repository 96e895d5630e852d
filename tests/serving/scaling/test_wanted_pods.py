"""How many pods are wanted for a load. Loads and answers are those of Knative's own tests of its autoscaler."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from fairway.serving.scaling.decider import TICK, Decider, Decision, Spec

NOW = 1_700_000_000.0
MINUTE = 60.0
SHARE = 0.75


def _spec(target: float, burst: float) -> Spec:
    return Spec(target=target, total=target / SHARE, burst=burst, panic_threshold=2, up_rate=10, down_rate=10)


def _excess(target: float, burst: float, panic: float, pods: int) -> int:
    return math.floor(target / SHARE * pods - burst - panic)


def _expect(decision: Decision, pods: int, excess: int) -> None:
    assert decision.pods == pods
    assert abs(decision.excess - excess) <= 1  # floors of sums that are not exact


@pytest.mark.parametrize(
    ("target", "burst", "stable", "panic", "ready", "changes", "pods"),
    [
        pytest.param(10, 100, 0, 0, 1, {}, 0, id="no load"),
        pytest.param(10, 100, 50, 50, 1, {}, 5, id="load for five"),
        pytest.param(10, 100, 50, 50, 5, {}, 5, id="five already"),
        pytest.param(1, 1982, 3, 3.1, 2, {"up_rate": 1.1}, 3, id="a small rate lets it grow by one all the same"),
        pytest.param(10, 1982, 1, 1, 100, {"down_rate": 1.1}, 90, id="a small rate slows shrinking"),
        pytest.param(10, 1982, 1, 1, 100, {"down_rate": 1.1, "reachable": False}, 1, id="not where nobody comes"),
        pytest.param(10, 84, 50, 100, 1, {}, 10, id="the last seconds count when load doubles"),
        pytest.param(10, 61, 1000, 1001, 1, {}, 10, id="tenfold at once and no more"),
        pytest.param(10, 61, 1000, 1001, 10, {}, 100, id="then tenfold again"),
        pytest.param(10, 61, 1, 1, 100, {}, 10, id="a tenth at once and no less"),
        pytest.param(10, 61, 1, 1, 10, {}, 1, id="then a tenth again"),
        pytest.param(10, 81, 1000, 888, 0, {}, 10, id="no pod counts as one"),
        pytest.param(10, 75, 0, 0, 1, {"activation_scale": 2}, 0, id="no load, whatever the first step"),
        pytest.param(10, 75, 1, 0, 1, {"activation_scale": 2}, 2, id="the first step"),
    ],
)
def test_one_look(
    target: float, burst: float, stable: float, panic: float, ready: int, changes: dict[str, Any], pods: int
) -> None:
    decider = Decider(replace(_spec(target, burst), **changes), 1, NOW)
    _expect(decider.decide(ready, stable, panic, NOW), pods, _excess(target, burst, panic, ready))


def test_the_burst_may_be_none_or_without_bound() -> None:
    assert Decider(_spec(10, 0), 1, NOW).decide(1, 50, 49, NOW) == Decision(5, 0)
    assert Decider(_spec(181, -1), 1, NOW).decide(1, 21, 26, NOW) == Decision(1, -1)


@pytest.mark.parametrize(("stable", "panic", "pods"), [(50, 30, 50), (20, 30, 30)], ids=["stable", "panic"])
def test_a_panic_takes_the_larger_of_both_windows(stable: float, panic: float, pods: int) -> None:
    decider = Decider(_spec(1, 100), 1, NOW)
    decider.panic_since, decider.most_in_panic = NOW - 5, 5
    _expect(decider.decide(5, stable, panic, NOW), pods, _excess(1, 100, panic, 5))


@pytest.mark.parametrize(("stable", "panic"), [(50, 10), (50, 50)])
def test_it_grows_with_the_load(stable: float, panic: float) -> None:
    decider = Decider(_spec(10, 101), 1, NOW)
    _expect(decider.decide(1, stable, panic, NOW), 5, _excess(10, 101, panic, 1))
    _expect(decider.decide(1, 100, panic, NOW), 10, _excess(10, 101, panic, 1))


def test_it_shrinks_with_the_load() -> None:
    decider = Decider(_spec(10, 98), 1, NOW)
    _expect(decider.decide(8, 100, 100, NOW), 10, _excess(10, 98, 100, 8))
    _expect(decider.decide(8, 50, 50, NOW), 5, _excess(10, 98, 50, 8))


def test_it_shrinks_to_nothing_without_load() -> None:
    decider = Decider(_spec(10, 75), 1, NOW)
    _expect(decider.decide(1, 1, 0, NOW), 1, _excess(10, 75, 0, 1))
    _expect(decider.decide(1, 0, 0, NOW), 0, _excess(10, 75, 0, 1))


def test_load_that_grows_sixfold_each_second_is_followed_until_it_stops() -> None:
    decider, now, ready = Decider(_spec(1, 101), 1, NOW), NOW, 1
    for load in (6, 36, 216, 1296):
        _expect(decider.decide(ready, load, load, now), load, _excess(1, 101, load, ready))
        assert decider.panic_since == now
        ready, now = load, now + 1
    _expect(decider.decide(1296, 1296, 1296, now), 1296, _excess(1, 101, 1296, 1296))


def test_a_panic_ends_a_stable_window_after_the_last_surge() -> None:
    decider = Decider(_spec(1, 98), 1, NOW)
    _expect(decider.decide(10, 11, 25, NOW), 25, _excess(1, 98, 25, 10))
    assert decider.panic_since == NOW
    _expect(decider.decide(40, 30, 41, NOW + MINUTE / 2), 41, _excess(1, 98, 41, 40))
    assert decider.panic_since == NOW
    _expect(decider.decide(55, 50, 56, NOW + MINUTE + TICK), 50, _excess(1, 98, 56, 55))
    assert decider.panic_since is None


def test_a_surge_within_a_panic_lengthens_it() -> None:
    decider = Decider(_spec(1, 98), 1, NOW)
    decider.decide(10, 11, 25, NOW)
    _expect(decider.decide(40, 30, 80, NOW + MINUTE / 2), 80, _excess(1, 98, 80, 40))
    assert decider.panic_since == NOW + MINUTE / 2


def test_no_pod_is_given_up_while_a_panic_lasts() -> None:
    decider = Decider(_spec(10, 93), 1, NOW)
    _expect(decider.decide(1, 100, 100, NOW), 10, _excess(10, 93, 100, 1))
    _expect(decider.decide(10, 100, 1000, NOW), 100, _excess(10, 93, 1000, 10))
    _expect(decider.decide(10, 1, 1, NOW + 30), 100, _excess(10, 93, 1, 10))
    _expect(decider.decide(10, 1, 1, NOW + 61), 1, _excess(10, 93, 1, 10))


def test_the_target_may_change() -> None:
    decider = Decider(_spec(10, 77), 1, NOW)
    _expect(decider.decide(1, 100, 101, NOW), 10, _excess(10, 77, 101, 1))
    decider.update(replace(_spec(1, 71), reachable=False))
    _expect(decider.decide(10, 100, 101, NOW), 100, _excess(1, 71, 101, 10))


@pytest.mark.parametrize(("ready", "panics"), [(0, False), (1, False), (2, True)])
def test_started_anew_beside_several_pods_it_does_not_shrink_blindly(ready: int, panics: bool) -> None:
    decider = Decider(_spec(100, 11), ready, NOW)
    assert (decider.panic_since is not None) is panics
    assert decider.most_in_panic == ready


_PATIENT = Spec(target=10, total=0, up_rate=10, down_rate=10, panic_threshold=100, scale_down_delay=300)


def test_fewer_pods_are_wanted_only_after_the_delay() -> None:
    zero = 1_700_000_400.0  # at the beginning of a tick and of five minutes
    decider = Decider(_PATIENT, 0, zero)
    looks = [(2, 40, 4), (300, 0, 4), (302, 0, 0)]
    looks += [(540, 40, 4), (600, 30, 4), (660, 0, 4), (840, 0, 3), (900, 0, 0)]
    for later, load, pods in looks:
        assert decider.decide(0, load, load, zero + later).pods == pods, later


def test_what_nobody_reaches_waits_for_no_delay() -> None:
    decider = Decider(_PATIENT, 0, NOW)
    assert decider.decide(0, 40, 40, NOW + 2).pods == 4
    assert decider.decide(0, 0, 0, NOW + 60).pods == 4
    decider.update(replace(_PATIENT, reachable=False))
    assert decider.decide(0, 0, 0, NOW + 62).pods == 0


def test_without_a_delay_each_look_counts() -> None:
    decider = Decider(replace(_PATIENT, scale_down_delay=0), 0, NOW)
    assert decider.decide(0, 40, 40, NOW).pods == 4
    assert decider.decide(0, 20, 20, NOW + 0.5).pods == 2
