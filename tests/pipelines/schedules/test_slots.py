"""Which slots of a schedule are due: catching up or not, at most so many at once, and clocks that jump."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.kernel.cron import Cron
from fairway.pipelines.schedules.slots import Due, Every, Once, Schedule, between, due, latest, of_row

HOUR = 3600
NINE = datetime(2024, 5, 1, 9, tzinfo=UTC).timestamp()
MINUTELY = Schedule(Cron("* * * * *", UTC), cursor=NINE)


def at(minutes: float) -> float:
    return NINE + minutes * 60


def test_nothing_is_due_before_its_time() -> None:
    assert due(MINUTELY, 0, at(0.99)) == Due((), NINE)
    assert MINUTELY.next == at(1)


def test_a_slot_is_due_from_its_moment_on() -> None:
    assert due(MINUTELY, 0, at(1)) == Due((at(1),), at(1))
    assert due(MINUTELY, 0, at(1.5)) == Due((at(1),), at(1))


def test_missed_slots_are_started_one_after_the_other_as_far_as_there_is_room() -> None:
    assert due(MINUTELY, 0, at(10)) == Due((at(1),), at(1))
    three = replace(MINUTELY, max_concurrency=3)
    assert due(three, 0, at(10)) == Due((at(1), at(2), at(3)), at(3))
    assert due(three, 2, at(10)) == Due((at(1),), at(1))
    assert due(three, 0, at(2)) == Due((at(1), at(2)), at(2))


def test_where_there_is_no_room_a_slot_waits() -> None:
    assert due(MINUTELY, 1, at(10)) == Due((), NINE)
    assert due(MINUTELY, 7, at(10)) == Due((), NINE)  # more than allowed, after the limit was lowered


def test_without_catch_up_only_the_last_missed_slot_of_a_cron_counts() -> None:
    latest_only = replace(MINUTELY, no_catchup=True, max_concurrency=5)
    assert due(latest_only, 0, at(10.5)) == Due((at(10),), at(10))
    assert due(replace(latest_only, end=at(4)), 0, at(10.5)) == Due((at(4),), at(4))
    assert due(latest_only, 5, at(10.5)) == Due((), NINE)


def test_without_catch_up_an_interval_that_missed_slots_starts_now_and_keeps_its_grid() -> None:
    hourly = Schedule(Every(HOUR, NINE), cursor=NINE, no_catchup=True)
    assert due(hourly, 0, at(61)) == Due((at(60),), at(60))
    late = due(hourly, 0, at(150) + 0.25)
    assert late == Due((at(150),), at(150))
    assert replace(hourly, cursor=late.cursor).next == at(180)
    assert due(replace(hourly, end=at(121)), 0, at(150)) == Due((at(121),), at(121))


def test_the_end_is_the_last_moment_of_a_slot() -> None:
    ending = replace(MINUTELY, end=at(2), max_concurrency=10)
    assert due(ending, 0, at(60)) == Due((at(1), at(2)), at(2))
    assert replace(ending, cursor=at(2)).next is None
    assert due(replace(ending, cursor=at(2)), 0, at(60)) == Due((), at(2))


def test_a_clock_that_is_set_back_starts_nothing_again() -> None:
    settled = replace(MINUTELY, cursor=at(30))
    assert due(settled, 0, at(5)) == Due((), at(30))
    assert due(settled, 0, at(31)) == Due((at(31),), at(31))


def test_a_clock_that_jumps_ahead_leaves_missed_slots() -> None:
    year = timedelta(days=365).total_seconds()
    assert due(replace(MINUTELY, max_concurrency=2), 0, NINE + year) == Due((at(1), at(2)), at(2))
    assert due(replace(MINUTELY, no_catchup=True), 0, NINE + year + 30) == Due((NINE + year,), NINE + year)


def test_a_recurring_run_without_a_trigger_is_due_once() -> None:
    once = Schedule(Once(NINE), cursor=NINE - 1)
    assert due(once, 0, at(5)) == Due((NINE,), NINE)
    assert replace(once, cursor=NINE).next is None


def test_slots_between_two_moments_include_both() -> None:
    assert list(between(MINUTELY, at(1), at(3))) == [at(1), at(2), at(3)]
    assert list(between(MINUTELY, at(1) + 0.5, at(2) + 0.5)) == [at(2)]
    assert list(between(Schedule(Every(HOUR, NINE), cursor=NINE), at(-120), at(0))) == [at(-120), at(-60), at(0)]


def test_a_row_is_read_in_its_own_time_zone() -> None:
    row = {
        "cron": "0 9 * * *", "interval_seconds": 0, "time_zone": "Asia/Tokyo", "counts_from": 7.0, "cursor": NINE,
        "start_at": None, "end_at": None, "max_concurrency": 2, "no_catchup": True,
    }  # fmt: skip
    assert of_row(row, UTC).next == datetime(2024, 5, 2, 0, tzinfo=UTC).timestamp()
    assert of_row({**row, "time_zone": ""}, UTC).next == datetime(2024, 5, 2, 9, tzinfo=UTC).timestamp()
    assert of_row({**row, "cron": "@every 2h"}, UTC).trigger == Every(2 * HOUR, 7.0)
    assert of_row({**row, "cron": "", "interval_seconds": 60, "start_at": 3.5}, UTC).trigger == Every(60, 3.0)
    assert of_row({**row, "cron": ""}, UTC).trigger == Once(8.0)


TRIGGERS = st.one_of(
    st.integers(1, 100_000).map(lambda seconds: Every(seconds, NINE + 7)),
    st.sampled_from(["* * * * * *", "*/7 * * * *", "0 */6 * * *", "0 0 1 * *", "30 2 * * SUN"]).map(
        lambda text: Cron(text, UTC)
    ),
)


@settings(max_examples=40, deadline=None)
@given(trigger=TRIGGERS, span=st.integers(0, 400_000), ended=st.none() | st.integers(0, 400_000))
def test_the_latest_slot_is_found_without_looking_at_all(trigger: Cron | Every, span: int, ended: int | None) -> None:
    schedule = Schedule(trigger, cursor=NINE, end=None if ended is None else NINE + ended)
    until, at_ = NINE + span, NINE
    for _ in range(5000):
        following = schedule.after(at_)
        if following is None or following > until:
            assert latest(schedule, NINE, until) == at_
            return
        at_ = following


@pytest.mark.parametrize("expression", ["* * * * * *", "* * 0-22 * * *", "0 0 29 2 *"])
def test_ten_years_of_missed_slots_are_passed_over_at_once(expression: str) -> None:
    looked_at = 0

    class Counted(Cron):
        def after(self, moment: float) -> float | None:
            nonlocal looked_at
            looked_at += 1
            return super().after(moment)

    decade = NINE + 10 * 366 * 24 * HOUR
    assert latest(Schedule(Counted(expression, UTC), cursor=NINE), NINE, decade) <= decade
    assert looked_at < 20_000
