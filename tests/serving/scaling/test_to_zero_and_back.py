"""When the last pod may go, and what a wish becomes between its bounds. The cases are Knative's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fairway.serving.scaling.zero import (
    ACTIVATION_BUFFER,
    UNKNOWN,
    Activity,
    Bounds,
    Patience,
    Proxy,
    State,
    Step,
    advance,
    step,
)

NOW = 1_700_000_000.0
GRACE, STABLE, DEADLINE = 60.0, 300.0, 121.0
PATIENCE = Patience(stable_window=STABLE, grace=GRACE, progress_deadline=DEADLINE)
NEW = Activity(State.ACTIVATING, NOW)


def _active(seconds: float, **changes: Any) -> Activity:
    return Activity(State.ACTIVE, NOW - seconds, **changes)


def _inactive(seconds: float) -> Activity:
    return Activity(State.INACTIVE, NOW - seconds, initialized=True)


def _activating(seconds: float) -> Activity:
    return Activity(State.ACTIVATING, NOW - seconds)


def _step(
    wanted: int,
    activity: Activity,
    bounds: Bounds = Bounds(),  # noqa: B008  a value
    *,
    proxy: Proxy = Proxy(),  # noqa: B008  a value
    **patience: Any,
) -> Step:
    return step(wanted, activity, bounds, replace(PATIENCE, **patience), proxy, NOW)


def test_an_active_component_keeps_one_pod_for_a_stable_window() -> None:
    assert _step(0, _active(STABLE - 1)) == Step(1, True, again=1)
    assert _step(0, _active(44), stable_window=45) == Step(1, True, again=1)


def test_after_it_the_activator_goes_before_it_and_the_pod_stays() -> None:
    assert _step(0, _active(STABLE)) == Step(0, False)
    assert _step(0, _active(45), stable_window=45) == Step(0, False)
    seen_again = _step(0, _active(STABLE), proxy=Proxy(asked=True))
    assert (seen_again.pods, seen_again.apply) == (0, False)
    assert seen_again.again


@pytest.mark.parametrize(
    ("activity", "proxy", "patience", "expected"),
    [
        pytest.param(_inactive(GRACE), Proxy(), {}, Step(0, True), id="after the grace"),
        pytest.param(_inactive(GRACE - 1), Proxy(), {}, Step(0, False, GRACE), id="just before"),
        pytest.param(_inactive(GRACE - 1), Proxy(lasted=GRACE - 1), {}, Step(0, False, 1), id="activator for less"),
        pytest.param(_inactive(GRACE - 1), Proxy(lasted=GRACE), {}, Step(0, True), id="activator for a grace"),
        pytest.param(
            _inactive(GRACE - 1), Proxy(lasted=GRACE), {"retention": 42}, Step(0, True), id="retention is over"
        ),
        pytest.param(_inactive(GRACE), Proxy(), {"retention": 2 * GRACE}, Step(0, False, GRACE), id="retained"),
        pytest.param(_inactive(GRACE), Proxy(), {"retention": GRACE}, Step(0, True), id="retained for long enough"),
        pytest.param(
            _inactive(GRACE), Proxy(proven=False), {}, Step(0, False, prove=True), id="activator not in the path"
        ),
    ],
)
def test_an_inactive_component_goes_when_all_have_learnt_of_the_activator(
    activity: Activity, proxy: Proxy, patience: dict[str, Any], expected: Step
) -> None:
    assert _step(0, activity, proxy=proxy, **patience) == expected


def test_what_nobody_reaches_is_not_retained_but_gateways_still_have_their_grace() -> None:
    alone = Bounds(reachable=False)
    assert _step(0, _inactive(GRACE), alone, retention=10 * GRACE) == Step(0, True)
    early = _step(0, _inactive(GRACE - 1), alone, retention=10 * GRACE)
    assert not early.apply
    assert early.again


def test_a_start_that_takes_too_long_is_given_up() -> None:
    limit = DEADLINE + ACTIVATION_BUFFER
    waiting = _step(0, _activating(limit / 2))
    assert (waiting.pods, waiting.apply, waiting.again) == (UNKNOWN, False, limit / 2)
    assert _step(0, _activating(limit + 1)) == Step(0, True)
    assert _step(0, _activating(5 + ACTIVATION_BUFFER + 1), progress_deadline=5) == Step(0, True)


@pytest.mark.parametrize("later", [-1, 0])
@pytest.mark.parametrize("reachable", [True, None], ids=["reached", "unknown"])
def test_the_least_number_stays(later: float, reachable: bool | None) -> None:
    assert _step(0, _inactive(GRACE + later), Bounds(least=2, reachable=reachable)) == Step(2, True)


def test_the_least_number_is_not_for_what_nobody_reaches() -> None:
    assert _step(0, _inactive(GRACE), Bounds(least=2, reachable=False)) == Step(0, True)


@pytest.mark.parametrize(
    ("wanted", "activity", "bounds", "pods"),
    [
        (10, NEW, Bounds(), 10),
        (10, NEW, Bounds(most=8), 8),
        (10, _inactive(GRACE / 2), Bounds(), 10),
        (1, NEW, Bounds(), 1),
        (1, _activating(0), Bounds(initial=2), 2),
        (1, _activating(0), Bounds(initial=5), 5),
    ],
)
def test_up(wanted: int, activity: Activity, bounds: Bounds, pods: int) -> None:
    assert _step(wanted, activity, bounds) == Step(pods, True)


@pytest.mark.parametrize("activity", [_inactive(0), _active(0)])
def test_without_news_nothing_is_done(activity: Activity) -> None:
    assert _step(UNKNOWN, activity) == Step(UNKNOWN, False)


def test_the_initial_number_counts_until_it_was_reached_and_for_what_is_reached() -> None:
    assert _step(0, _active(120, initialized=True), Bounds(initial=2)) == Step(1, True, again=STABLE - 120)
    assert _step(0, _active(120), Bounds(initial=2, reachable=False)) == Step(1, True, again=STABLE - 120)


def test_zero_can_be_forbidden() -> None:
    assert _step(0, _active(0), to_zero=False) == Step(1, True)
    assert _step(0, _active(0), Bounds(least=2), to_zero=False) == Step(2, True)
    assert _step(UNKNOWN, _active(0), to_zero=False) == Step(UNKNOWN, False)


@pytest.mark.parametrize(
    ("wanted", "ready", "least", "before", "after"),
    [
        (0, 1, 1, State.ACTIVE, State.INACTIVE),
        (0, 0, 1, State.INACTIVE, State.INACTIVE),
        (1, 0, 1, State.INACTIVE, State.ACTIVATING),
        (2, 1, 2, State.ACTIVE, State.ACTIVATING),
        (1, 1, 1, State.ACTIVATING, State.ACTIVE),
        (UNKNOWN, 0, 1, State.INACTIVE, State.INACTIVE),
        (UNKNOWN, 0, 1, State.ACTIVATING, State.ACTIVATING),
        (UNKNOWN, 0, 1, State.ACTIVE, State.ACTIVATING),
        (UNKNOWN, 1, 1, State.INACTIVE, State.INACTIVE),
        (UNKNOWN, 1, 1, State.ACTIVATING, State.ACTIVE),
        (UNKNOWN, 1, 1, State.ACTIVE, State.ACTIVE),
    ],
)
def test_what_it_becomes(wanted: int, ready: int, least: int, before: State, after: State) -> None:
    was = Activity(before, NOW - 100, initialized=True)
    became = advance(was, wanted, ready, Bounds(least=least), NOW)
    assert became.state is after
    assert became.since == (NOW - 100 if before is after else NOW)


def test_an_initial_scale_of_zero_begins_inactive() -> None:
    became = advance(NEW, UNKNOWN, 0, Bounds(initial=0), NOW)
    assert (became.state, became.initialized, became.timed_out) == (State.INACTIVE, True, False)


def test_a_start_that_was_given_up_says_so_until_it_is_tried_again() -> None:
    failed = advance(_activating(1000), 0, 0, Bounds(), NOW)
    assert failed.state is State.INACTIVE
    assert failed.timed_out
    assert advance(failed, 0, 0, Bounds(), NOW + 1).timed_out
    assert not advance(failed, 1, 0, Bounds(), NOW + 1).timed_out
