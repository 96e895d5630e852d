"""How many requests were inside on average, and how many came: what the activator tells the autoscaler."""

from __future__ import annotations

import pytest

from fairway.serving.scaling.activator.meter import Meter, Seen

NOW = 1_700_000_000.0


def test_each_counts_for_the_time_that_it_was_inside() -> None:
    meter = Meter(NOW)
    meter.enter(NOW)
    meter.enter(NOW + 0.5)
    meter.leave(NOW + 0.75)
    seen = meter.look(NOW + 1)
    assert (seen.inside, seen.came, seen.left) == pytest.approx((1.25, 2, 1))


def test_who_stays_counts_again_and_has_come_only_once() -> None:
    meter = Meter(NOW)
    meter.enter(NOW)
    meter.look(NOW + 1)
    assert meter.look(NOW + 3) == Seen(inside=1, came=0, left=0)
    meter.leave(NOW + 3)
    assert meter.look(NOW + 4) == Seen(inside=0, came=0, left=1)


def test_two_looks_at_once_see_who_is_there() -> None:
    meter = Meter(NOW)
    meter.enter(NOW)
    assert meter.look(NOW).inside == 1


def test_a_clock_that_is_set_back_makes_nothing_negative() -> None:
    meter = Meter(NOW)
    meter.enter(NOW)
    meter.leave(NOW - 100)
    assert meter.look(NOW + 1) == Seen(inside=0, came=1, left=1)
