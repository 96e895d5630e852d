"""Text macros in parameters, as upstream's scheduler replaces them."""

import time
from datetime import UTC, datetime

import pytest

from fairway.pipelines.macros import Facts, NoSchedule, expanded, in_layout

FACTS = Facts("some-run", now=1_609_545_600.9, scheduled_at=1_609_459_205.0, index=27)  # 2021-01-02, 2021-01-01 0:00:05


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a [[RunUUID]] b", "a some-run b"),
        ("[[ScheduledTime]]", "20210101000005"),
        ("[[CurrentTime]]", "20210102000000"),
        ("[[Index]]", "27"),
        ("[[ScheduledTime.15-04-05]]", "00-00-05"),
        ("[[CurrentTime.2006-01-02]]/x", "2021-01-02/x"),
        ("{{$.scheduledTime.strftime('%Y-%m-%d %H:%M:%S')}}", "2021-01-01 00:00:05"),
        ("{{$.currentTime.strftime('%s %%s')}}", "1609545600 %s"),
        ("[[ScheduledTime]][[Index]] [[Index]]", "2021010100000527 27"),
        ("[[Unknown]] [[]] [[1, 2]]", "[[Unknown]] [[]] [[1, 2]]"),
        ("{{$.inputs.parameters['a']}}", "{{$.inputs.parameters['a']}}"),
        ("", ""),
    ],
)  # fmt: skip
def test_macros(text: str, expected: str) -> None:
    assert expanded(text, FACTS) == expected


def test_a_long_text_takes_time_that_grows_with_it() -> None:
    """Half a minute, when each beginning of a macro was looked for its end through all that follows."""
    text = "[[CurrentTime." * 15_000 + "{{$.currentTime.strftime('" * 15_000
    began = time.process_time()
    assert expanded(text, FACTS) == text
    assert time.process_time() - began < 10


def test_texts_are_found_wherever_they_are() -> None:
    given = {"a": ["[[Index]]", 1, None, True], "b": {"c": "[[RunUUID]]"}, "d": 2.5}
    assert expanded(given, FACTS) == {"a": ["27", 1, None, True], "b": {"c": "some-run"}, "d": 2.5}


def test_a_run_without_a_schedule_has_no_number() -> None:
    with pytest.raises(NoSchedule, match="no schedule starts this run"):
        expanded(["[[Index]]"], Facts("r", 0.0, 0.0))


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("Mon Jan _2 15:04:05 2006", "Sat Mar  9 17:05:07 2024"),  # ANSIC
        ("02 Jan 06 15:04 MST", "09 Mar 24 17:05 UTC"),  # RFC822
        ("Monday, 02-January-06 3:04:5pm", "Saturday, 09-March-24 5:05:7pm"),
        ("2006-01-02T15:04:05Z07:00", "2024-03-09T17:05:07Z"),  # RFC3339
        ("2006-01-02T15:04:05.000-0700", "2024-03-09T17:05:07.000+0000"),
        ("2006-01-02 15:04:05.999-07:00", "2024-03-09 17:05:07+00:00"),
        ("1/2/06 03PM day 002 __2 _2006", "3/9/24 05PM day 069  69 _2024"),
        ("Month January Janet 02.01.2006", "Month March Janet 09.03.2024"),
        ("no layout", "no layout"),
    ],
)
def test_layouts(layout: str, expected: str) -> None:
    assert in_layout(datetime(2024, 3, 9, 17, 5, 7, tzinfo=UTC), layout) == expected


def test_midnight_and_noon_on_a_clock_of_twelve_hours() -> None:
    assert [in_layout(datetime(2024, 1, 1, hour, tzinfo=UTC), "3PM") for hour in (0, 1, 12, 13)] == [
        "12AM", "1AM", "12PM", "1PM",
    ]  # fmt: skip
