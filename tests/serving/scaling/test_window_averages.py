"""The averages that scaling is decided by. The numbers are those of Knative's own tests of its buckets."""

from __future__ import annotations

import pytest

from fairway.serving.scaling.windows import WeightedWindow, Window

START = 1_700_000_000.0


def test_values_of_one_second_are_one_bucket() -> None:
    window = Window(120)
    assert window.empty(START)
    for later, value in ((0, 1.0), (0.1, 10.0), (1, 1.0), (3, 1.0)):
        window.record(START + later, value)
    assert window.buckets() == {START: 11.0, START + 1: 1.0, START + 3: 1.0}


def test_buckets_may_be_longer() -> None:
    window = Window(120, granularity=5)
    for later, value in ((0, 1.0), (3, 11.0), (6, 1.0)):
        window.record(START + later, value)
    assert window.buckets() == {START: 12.0, START + 5: 1.0}


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (0, 3, 2, 1, 4)], ids=["in order", "out of order"])
def test_nothing_is_lost_whatever_order_values_come_in(order: tuple[int, ...]) -> None:
    window = Window(60)
    for place, second in enumerate(order):
        for value in range(5):
            window.record(START + second, place + value)
    assert sum(window.buckets().values()) == 100


def test_the_average_is_over_the_time_that_was_seen() -> None:
    window = Window(5)
    window.record(START, 1)
    assert window.average(START) == 1  # and not a fifth
    for second in range(1, 5):
        window.record(START + second, second + 1)
    assert window.average(START + 4) == 3
    assert window.average(START + 3.6) == 3  # a clock a little behind
    assert window.average(START + 6) == (15 - 1 - 2) / 3  # two seconds without news are left out
    assert window.average(START + 10) == 0
    window.record(START + 6, 91)
    assert window.average(START + 6) == pytest.approx((15 - 1 - 2 + 91) / 5)


def test_after_a_whole_window_of_silence_the_average_begins_anew() -> None:
    window = Window(5)
    window.record(START, 7)
    now = START + 60
    window.record(now, 1984)
    assert window.average(now) == 1984
    window.record(now - 3, 4)
    assert window.average(now) == (4 + 1984) / 4
    now += 1
    window.record(now, 5)
    window.record(now - 3, 10)
    assert window.average(now) == pytest.approx((4 + 10 + 1984 + 5) / 5)
    for too_old in (6, 5):
        window.record(now - too_old, 10)
    assert window.average(now) == pytest.approx((4 + 10 + 1984 + 5) / 5)
    window.record(now + 5, 10)
    assert window.average(now + 5) == 10


def test_values_that_come_newest_first() -> None:
    window = Window(5)
    for second in range(8, -1, -1):
        window.record(START + second, 5)
    assert window.average(START + 5) == 5


def test_gaps_count_as_zero() -> None:
    window = Window(5)
    for second in range(5):
        window.record(START + second, second + 1)
    window.record(START + 8, 2)
    assert sum(window.buckets().values()) == 7
    assert window.average(START + 8) == 7 / 5


@pytest.mark.parametrize(
    ("seconds", "coefficient"), [(100, 0.2), (60, 0.2), (40, 0.20567), (6, 0.78456)], ids=lambda value: f"{value}"
)
def test_longer_windows_forget_more_slowly_down_to_a_fifth(seconds: float, coefficient: float) -> None:
    assert WeightedWindow(seconds).coefficient == pytest.approx(coefficient, abs=1e-5)


def test_newer_values_weigh_more() -> None:
    window = WeightedWindow(5)
    weight = window.coefficient
    window.record(START, 2)
    expected = 2 * weight
    assert window.average(START) == pytest.approx(expected)
    expected *= 1 - weight
    assert window.average(START + 1) == pytest.approx(expected)
    window.record(START + 1, 2)
    assert window.average(START + 1) == pytest.approx(expected + 2 * weight)
    for second in range(5):
        window.record(START + 2 + second, second + 2)
    expected = sum(value * weight * (1 - weight) ** age for age, value in enumerate((6, 5, 4, 3, 2)))
    assert window.average(START + 6) == pytest.approx(expected)
    assert window.average(START + 16) == 0


def _filled(window: Window) -> Window:
    for second in range(6):
        window.record(START + second, second + 1)
    return window


def test_a_weighted_window_of_six_values() -> None:
    assert _filled(WeightedWindow(5)).average(START + 5) == pytest.approx(5.812, abs=5e-4)


def test_a_longer_window_keeps_what_was_measured() -> None:
    window = _filled(Window(5))
    now = START + 5
    assert window.average(now) == 4
    window.resize(10, now)
    assert sum(window.buckets().values()) == 20
    assert window.average(now) == 4
    window.record(START + 6, 5)
    assert window.average(START + 6) == pytest.approx(25 / 6, abs=1e-5)


def test_a_shorter_window_keeps_the_newest() -> None:
    window = _filled(Window(5))
    window.resize(2, START + 5)
    assert window.buckets() == {START + 4: 5.0, START + 5: 6.0}
    assert window.average(START + 5) == 5.5


def test_an_old_window_is_empty_after_a_change_of_length() -> None:
    window = _filled(Window(5))
    window.resize(10, START + 500)
    assert window.average(START + 500) == 0
    assert window.buckets() == {}
