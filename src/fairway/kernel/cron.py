"""Cron expressions: which moments they name, in a time zone. Pure; who
schedules asks for one moment after the other.

`cronsim` reads the fields and knows the calendar. This module adds the shorthands (@daily, @every), `?`, zones within
the expression, and what a change of the clocks does: see `Cron`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from fairway.kernel.objects import errors

LONGEST = 200
"""Most characters of an expression."""

ORDER = "[second] minute hour day-of-month month day-of-week"

_SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)\s+(.*)", re.DOTALL)
_EVERY = re.compile(r"@every\s+(?P<duration>(?:\d+(?:\.\d+)?(?:ms|us|µs|ns|d|h|m|s))+)")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_EVERY_HOUR = set(range(24))
_FIFTY_YEARS = 50 * 366 * 86400


class WrongCron(errors.BadRequest):
    """An expression that cannot be read, or that never comes. The text is a sentence for who wrote it."""


class NeverComes(WrongCron):
    """An expression that can be read, of a day that no month has: the 31st of February."""


def zone(name: str) -> tzinfo:
    """The time zone of that IANA name. Raises WrongCron."""
    if name == "UTC":  # which a machine without time zone data has too
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WrongCron(f"there is no time zone {name!r}; use an IANA name such as Europe/Berlin") from None


def every(expression: str) -> int:
    """The seconds of an expression "@every 1h30m"; 0 where it is another one. Raises WrongCron.

    >>> every("@every 1h30m"), every("@every 0.1s"), every("0 9 * * *")
    (5400, 1, 0)
    """
    text = expression.strip()
    if not text.startswith("@every"):
        return 0
    match = _EVERY.fullmatch(text)
    if match is None:
        raise WrongCron(f'{text!r} is not like "@every 1h30m": units are d, h, m and s')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(match["duration"]))
    if seconds > _FIFTY_YEARS:
        raise WrongCron(f"{text!r} is longer than fifty years")
    return max(1, int(seconds))


class Cron:
    """Five fields, or six with the seconds first.

    Where every hour counts (the hour field is `*`), a schedule goes by elapsed time: every 15 minutes stays every 15
    minutes when the clocks are changed. Any other hour is one of the clock on the wall: a slot that does not exist
    that day comes at the first moment after the gap, and one that exists twice comes once, the first time.
    """

    def __init__(self, expression: str, default: tzinfo) -> None:
        named, text = _split(expression)
        self.zone = zone(named) if named else default
        self._text = text
        try:
            self._fields = CronSim(text, datetime(2000, 1, 1))
        except (CronSimError, AssertionError, ValueError) as wrong:
            kind = NeverComes if _comes_in_other_months(text) else WrongCron
            raise kind(_sentence(expression, str(wrong))) from None
        self._elapsed = self._fields.hours == _EVERY_HOUR

    def after(self, moment: float) -> float | None:
        """The first slot after the moment, in whole seconds since the epoch. None where none comes in fifty years."""
        try:
            return self._by_elapsed_time(moment) if self._elapsed else self._by_the_wall(moment)
        except OverflowError:  # the calendar ends with the year 9999
            return None

    def _by_the_wall(self, moment: float) -> float | None:
        start = datetime.fromtimestamp(math.floor(moment), self.zone).replace(tzinfo=None)
        slots: Iterator[datetime] = CronSim(self._text, start)
        for slot in slots:
            found = self._moment(slot)
            if found > moment:
                return found
        return None

    def _by_elapsed_time(self, moment: float) -> float | None:
        """Second by second, minute by minute, or day by day, whichever is the longest step that passes over no slot."""
        fields, at = self._fields, math.floor(moment) + 1
        end = at + _FIFTY_YEARS
        while at < end:
            local = datetime.fromtimestamp(at, self.zone)
            if local.month not in fields.months or not fields.match_day(local.date()):
                at = int(self._moment(datetime.combine(local.date() + timedelta(days=1), time())))
            elif local.minute not in fields.minutes:
                at += 60 - local.second
            elif local.second not in fields.seconds:
                at += 1
            else:
                return float(at)
        return None

    def _moment(self, wall: datetime) -> float:
        """When the clock on the wall shows this for the first time, or the end of the gap that it falls into."""
        at = wall.replace(tzinfo=self.zone).timestamp()
        if datetime.fromtimestamp(at, self.zone).replace(tzinfo=None) == wall:
            return at
        # In a gap fold 0 counts with the offset of before it, and fold 1 with that of after: the change is in between.
        before, after = int(wall.replace(tzinfo=self.zone, fold=1).timestamp()), int(at)
        old = self._offset(before)
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if self._offset(middle) == old else (before, middle)
        return float(after)

    def _offset(self, at: int) -> timedelta | None:
        return datetime.fromtimestamp(at, self.zone).utcoffset()


def _split(expression: str) -> tuple[str, str]:
    """(time zone or nothing, fields)."""
    text = expression.strip()
    if len(text) > LONGEST:
        raise WrongCron(f"a cron expression has at most {LONGEST} characters")
    found = _ZONE.fullmatch(text)
    named, text = (found[1], found[2].strip()) if found else ("", text)
    if text.startswith("@"):
        if text.lower() not in _SHORTHANDS:
            raise WrongCron(f"{text!r} is not known; known are {', '.join(_SHORTHANDS)} and @every 1h30m")
        text = _SHORTHANDS[text.lower()]
    return named, " ".join("*" if field == "?" else field for field in text.split())


def _comes_in_other_months(text: str) -> bool:
    *before, day, _, weekday = text.split() if len(text.split()) > 4 else ["", "", "", "", ""]
    try:
        CronSim(" ".join((*before, day, "*", weekday)), datetime(2000, 1, 1))
    except (CronSimError, AssertionError, ValueError):
        return False
    return True


def _sentence(expression: str, wrong: str) -> str:
    where = wrong.removeprefix("Bad ") if wrong.startswith("Bad ") else ""
    fault = f"the {where} is wrong, or never comes" if where else "it has not five or six fields"
    return f"{expression.strip()!r} is no cron expression: {fault}; the order is {ORDER}"
