"""Which moments a cron expression names: compared with looking at every minute of a few days, in many zones."""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.kernel.cron import Cron, NeverComes, WrongCron, every, zone

MINUTE = 60
DAY = 86400

# A day on which the clocks are changed, or nothing happens, in zones with and without oddities.
PLACES = [
    ("UTC", date(2024, 2, 28)),
    ("Asia/Kathmandu", date(2024, 12, 31)),  # 5:45 hours from UTC
    ("Europe/Berlin", date(2026, 3, 29)),  # 2:00 -> 3:00
    ("Europe/Berlin", date(2026, 10, 25)),  # 3:00 -> 2:00
    ("Europe/Dublin", date(2026, 10, 25)),  # winter is the exception
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour back
    ("Australia/Lord_Howe", date(2026, 10, 4)),  # half an hour on
    ("America/Havana", date(2026, 3, 8)),  # 0:00 -> 1:00: the day begins at one
    ("America/Havana", date(2026, 11, 1)),  # 1:00 -> 0:00
    ("America/Sao_Paulo", date(2018, 2, 17)),  # midnight -> 23:00
    ("Pacific/Apia", date(2011, 12, 30)),  # no such day
]
NAMES = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


@dataclass(frozen=True)
class Field:
    text: str
    values: frozenset[int] = dataclasses.field(repr=False)


def field(low: int, high: int) -> st.SearchStrategy[Field]:
    whole = frozenset(range(low, high + 1))
    number = st.integers(low, high)
    step = st.integers(1, high)
    single = number.map(lambda one: Field(str(one), frozenset({one})))
    stretch = st.tuples(st.integers(low, high - 1), number, step).map(
        lambda three: Field(
            f"{three[0]}-{max(three[0] + 1, three[1])}/{three[2]}",
            frozenset(range(three[0], max(three[0] + 1, three[1]) + 1, three[2])),
        )
    )
    stars = st.sampled_from([Field("*", whole), Field("?", whole)])
    stepped = step.map(lambda one: Field(f"*/{one}", frozenset(range(low, high + 1, one))))
    listed = st.lists(st.one_of(single, stretch), min_size=1, max_size=3).map(
        lambda several: Field(
            ",".join(one.text for one in several), frozenset().union(*(one.values for one in several))
        )
    )
    return st.one_of(stars, stepped, single, listed)


def matches(day: date, days: Field, months: Field, weekdays: Field) -> bool:
    """As cron has it since 1979: where both days are restricted, either will do."""
    of_month, of_week = day.day in days.values, (day.isoweekday() % 7) in {one % 7 for one in weekdays.values}
    both = days.text[0] in "*?" or weekdays.text[0] in "*?"
    return day.month in months.values and (of_month and of_week if both else of_month or of_week)


@cache
def seen(begin: int, where: tzinfo) -> dict[int, datetime]:
    """What the clock on the wall shows in each minute of three days."""
    span = range(begin, begin + 3 * DAY, MINUTE)
    return {at: datetime.fromtimestamp(at, where).replace(tzinfo=None) for at in span}


def looked_at(
    begin: int, where: tzinfo, minutes: Field, hours: Field, days: Field, months: Field, weekdays: Field
) -> list[int]:
    walls = seen(begin, where)
    first: dict[datetime, int] = {}
    for at, wall in walls.items():
        first.setdefault(wall, at)

    def holds(wall: datetime) -> bool:
        fits = wall.minute in minutes.values and wall.hour in hours.values
        return fits and matches(wall.date(), days, months, weekdays)

    if len(hours.values) == 24:
        return [at for at, wall in walls.items() if holds(wall)]
    found: set[int] = set()
    wall, last = min(first), max(first)
    while wall <= last:
        if holds(wall):
            found.add(first[wall] if wall in first else next(at for at, later in walls.items() if later > wall))
        wall += timedelta(minutes=1)
    return sorted(found)


@settings(max_examples=50, deadline=None)
@given(
    place=st.sampled_from(PLACES),
    minutes=field(0, 59),
    hours=field(0, 23),
    days=field(1, 31),
    months=field(1, 12),
    weekdays=field(0, 7),
    second=st.none() | st.integers(0, 59),
)
def test_the_slots_of_three_days_are_those_that_looking_at_every_minute_finds(
    place: tuple[str, date],
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
    second: int | None,
) -> None:
    where = zone(place[0])
    begin = int(datetime(place[1].year, place[1].month, place[1].day, tzinfo=UTC).timestamp()) - DAY
    expected = looked_at(begin, where, minutes, hours, days, months, weekdays)
    text = " ".join(one.text for one in (minutes, hours, days, months, weekdays))
    try:
        found = slots(text if second is None else f"{second} {text}", where, begin - 1, begin + 3 * DAY - 1)
    except WrongCron:
        assert not expected, text  # a day that no month has
        return
    assert sorted({there - there % 60 for there in found}) == expected, text
    gap_ends = {at for at in expected if jumped(at, where)}
    for there in found:
        # A slot that falls into a gap comes at its end, whatever its second is; one of that minute comes as well.
        at = there - there % 60
        assert there in ({at, at + (second or 0)} if at in gap_ends else {at + (second or 0)}), text
    assert len(found) == len(set(found)) <= len(expected) + len(gap_ends), text


def jumped(at: int, where: tzinfo) -> bool:
    before, after = (datetime.fromtimestamp(one, where).utcoffset() for one in (at - 1, at))
    assert before is not None and after is not None
    return after > before


def slots(text: str, where: tzinfo, after: float, until: float) -> list[float]:
    cron, found = Cron(text, where), []
    while (slot := cron.after(after)) is not None and slot <= until:
        assert slot > after
        found.append(slot)
        after = slot
    return found


def walls(text: str, where: str, start: str, count: int) -> list[str]:
    cron, at, found = Cron(text, zone(where)), datetime.fromisoformat(start).timestamp(), []
    for _ in range(count):
        slot = cron.after(at)
        assert slot is not None
        at = slot
        found.append(datetime.fromtimestamp(at, cron.zone).strftime("%d %H:%M:%S %z"))
    return found


def test_a_slot_in_the_gap_comes_at_its_end_and_one_that_comes_twice_comes_once() -> None:
    assert walls("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00Z", 3) == [
        "28 02:30:00 +0100",
        "29 03:00:00 +0200",
        "30 02:30:00 +0200",
    ]
    assert walls("0 30 2 * * *", "Europe/Berlin", "2026-10-24T00:00Z", 3) == [
        "24 02:30:00 +0200",
        "25 02:30:00 +0200",
        "26 02:30:00 +0100",
    ]


def test_where_every_hour_counts_the_change_of_the_clocks_changes_nothing() -> None:
    spring = walls("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00Z", 4)
    assert spring == ["29 01:30:00 +0100", "29 03:00:00 +0200", "29 03:30:00 +0200", "29 04:00:00 +0200"]
    autumn = walls("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00Z", 4)
    assert autumn == ["25 02:30:00 +0200", "25 02:00:00 +0100", "25 02:30:00 +0100", "25 03:00:00 +0100"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 9 * * *", ["01 09:00:00 +0000", "02 09:00:00 +0000"]),  # the minute comes first
        ("30 0 9 * * *", ["01 09:00:30 +0000", "02 09:00:30 +0000"]),  # the seconds, where there are six
        ("0 0 9 ? * 2-6", ["02 09:00:00 +0000", "03 09:00:00 +0000"]),  # upstream's own example
        ("0 9 * * mon-Fri", ["01 09:00:00 +0000", "02 09:00:00 +0000"]),
        ("0 9 1,15 JAN-MAR *", ["01 09:00:00 +0000", "15 09:00:00 +0000"]),
        ("50/5 9 * * *", ["01 09:50:00 +0000", "01 09:55:00 +0000"]),
        ("0 9 L * *", ["31 09:00:00 +0000", "29 09:00:00 +0000"]),  # the last of the month
        ("0 9 * * 5L", ["26 09:00:00 +0000", "23 09:00:00 +0000"]),  # its last Friday
        ("0 9 * * TUE#2", ["09 09:00:00 +0000", "13 09:00:00 +0000"]),
        ("0 9 * * 7", ["07 09:00:00 +0000", "14 09:00:00 +0000"]),
        ("@hourly", ["01 01:00:00 +0000", "01 02:00:00 +0000"]),
        ("@daily", ["02 00:00:00 +0000", "03 00:00:00 +0000"]),
        ("@Weekly", ["07 00:00:00 +0000", "14 00:00:00 +0000"]),
        ("@monthly", ["01 00:00:00 +0000", "01 00:00:00 +0000"]),
        ("@yearly", ["01 00:00:00 +0000", "01 00:00:00 +0000"]),
        ("TZ=Asia/Tokyo 0 9 * * *", ["01 09:00:00 +0900", "02 09:00:00 +0900"]),
        ("CRON_TZ=Asia/Tokyo @daily", ["02 00:00:00 +0900", "03 00:00:00 +0900"]),
    ],
)
def test_expressions(text: str, expected: list[str]) -> None:
    start = "2024-01-01T00:00:00+09:00" if "Tokyo" in text else "2024-01-01T00:00Z"
    assert walls(text, "UTC", start, 2) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not five or six fields"),
        ("0 9 * *", "not five or six fields"),
        ("0 0 0 9 * * *", "not five or six fields"),
        ("61 * * * *", "the minute is wrong"),
        ("0 25 * * *", "the hour is wrong"),
        ("0 0 * * 8", "the day-of-week is wrong"),
        ("0 0 * * FRI-MON", "the day-of-week is wrong"),
        ("0 0 30 2 *", "the day-of-month is wrong, or never comes"),
        ("*/0 * * * *", "the minute is wrong"),
        ("99 0 9 * * *", "the second is wrong"),
        ("@sometimes", "known are @yearly"),
        ("@every", 'not like "@every 1h30m"'),
        ("TZ=Mars/Olympus 0 9 * * *", "no time zone 'Mars/Olympus'"),
        ("* " * 101, "at most 200 characters"),
    ],
)
def test_what_is_no_expression_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(WrongCron, match=sentence.replace("[", r"\[")):
        Cron(text, UTC) if not text.startswith("@every") else every(text)


@settings(deadline=None)
@given(st.text(alphabet="0123456789*/-,?L#W@ MONJATZ=\n٣", max_size=40))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        cron = Cron(text, UTC)
    except WrongCron:
        return
    first = cron.after(0.0)
    assert first is None or first > 0


def test_intervals_in_words() -> None:
    assert [every(text) for text in ("@every 90s", "@every 1h30m", " @every  2d ", "@every 1.5h", "@every 1ms")] == [
        90,
        5400,
        172800,
        5400,
        1,
    ]
    assert every("0 9 * * *") == 0


def test_a_schedule_that_never_comes_gives_nothing() -> None:
    leap_sundays = Cron("0 0 29 2 *", ZoneInfo("Europe/Berlin"))
    assert leap_sundays.after(datetime(9999, 12, 1, tzinfo=UTC).timestamp()) is None
    assert len(slots("0 0 29 2 *", UTC, 0.0, 20 * 366 * DAY)) == 5


def test_a_day_that_never_comes_is_told_from_one_that_cannot_be_read() -> None:
    with pytest.raises(NeverComes):
        Cron("59 23 31 2 *", zone("UTC"))
    for wrong in ("59 23 32 2 *", "61 23 31 2 *", "59 23 31 2 8"):
        with pytest.raises(WrongCron) as told:
            Cron(wrong, zone("UTC"))
        assert not isinstance(told.value, NeverComes), wrong
