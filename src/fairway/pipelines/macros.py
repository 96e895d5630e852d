"""Upstream's text macros in the parameters of a run: pure. They are replaced when the run's record is made, so that
the record has what the run was really given.

`[[RunUUID]]`, `[[CurrentTime]]`, `[[ScheduledTime]]` and `[[Index]]`, the number of the run among those of its
schedule. Times are in UTC, as 20060102150405, or as `[[ScheduledTime.2006-01-02]]` in a layout of Go's, or as
`{{$.scheduledTime.strftime('%Y-%m-%d')}}`. Everything else in double brackets stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


class NoSchedule(ValueError):
    """A macro that only a recurring run has a value for. The text is a sentence."""


@dataclass(frozen=True)
class Facts:
    """What the macros stand for. `index` is 0 where no schedule starts the run."""

    run_id: str
    now: float
    scheduled_at: float
    index: int = 0


def expanded(value: Any, facts: Facts) -> Any:
    """The value with the macros in its texts replaced, however deep they are. Raises NoSchedule."""
    if isinstance(value, str):
        return _MACRO.sub(lambda found: _replacement(found, facts), value) if "[[" in value or "{{" in value else value
    if isinstance(value, Mapping):
        return {key: expanded(inner, facts) for key, inner in value.items()}
    if isinstance(value, list):
        return [expanded(inner, facts) for inner in value]
    return value


_MACRO = re.compile(
    r"\[\[(?P<name>RunUUID|Index|CurrentTime|ScheduledTime)\]\]"
    r"|\[\[(?P<time>CurrentTime|ScheduledTime)\.(?P<layout>.{0,200}?)\]\]"
    r"|\{\{\$\.(?P<moment>currentTime|scheduledTime)\.strftime\('(?P<format>.{0,200}?)'\)\}\}"
)
"""Layouts have an end: a text of a megabyte with as many beginnings would be looked through from each of them."""


def _replacement(found: re.Match[str], facts: Facts) -> str:
    name = found["name"]
    if name == "RunUUID":
        return facts.run_id
    if name == "Index":
        if not facts.index:
            raise NoSchedule("[[Index]] is the number of a run of a schedule, and no schedule starts this run")
        return str(facts.index)
    which = name or found["time"] or found["moment"]
    moment = datetime.fromtimestamp(int(facts.scheduled_at if which.lower() == "scheduledtime" else facts.now), UTC)
    if found["format"] is not None:
        return _in_format(moment, found["format"]) or found[0]
    return in_layout(moment, found["layout"] if name is None else "20060102150405")


def in_layout(moment: datetime, layout: str) -> str:
    """As Go formats a time of UTC in whole seconds: the layout shows what 3:04:05 PM on January 2, 2006 looks like.

    >>> in_layout(datetime(2024, 3, 9, 17, 5, tzinfo=UTC), "Mon Jan _2 2006, 3:04PM (02.1.06, day 002)")
    'Sat Mar  9 2024, 5:05PM (09.3.24, day 069)'
    """
    return _LAYOUT.sub(lambda found: _PIECES[found[0]](moment) if found[0] in _PIECES else _nothing(found[0]), layout)


def _in_format(moment: datetime, format_: str) -> str:
    """As strftime has it, with %s: the C library need not know it, and would take the time for local."""
    seconds = str(int(moment.timestamp()))
    try:
        return moment.strftime(re.sub("%.", lambda found: seconds if found[0] == "%s" else found[0], format_))
    except ValueError:  # characters that the C library cannot take
        return ""


_PIECES: dict[str, Callable[[datetime], str]] = {
    "January": lambda moment: f"{moment:%B}",
    "Jan": lambda moment: f"{moment:%b}",
    "Monday": lambda moment: f"{moment:%A}",
    "Mon": lambda moment: f"{moment:%a}",
    "MST": lambda moment: "UTC",
    "2006": lambda moment: f"{moment.year:04}",
    "__2": lambda moment: f"{moment.timetuple().tm_yday:3}",
    "_2": lambda moment: f"{moment.day:2}",
    "002": lambda moment: f"{moment.timetuple().tm_yday:03}",
    "01": lambda moment: f"{moment:%m}",
    "02": lambda moment: f"{moment:%d}",
    "03": lambda moment: f"{moment:%I}",
    "04": lambda moment: f"{moment:%M}",
    "05": lambda moment: f"{moment:%S}",
    "06": lambda moment: f"{moment:%y}",
    "15": lambda moment: f"{moment:%H}",
    "1": lambda moment: str(moment.month),
    "2": lambda moment: str(moment.day),
    "3": lambda moment: str((moment.hour + 11) % 12 + 1),
    "4": lambda moment: str(moment.minute),
    "5": lambda moment: str(moment.second),
    "PM": lambda moment: "AM" if moment.hour < 12 else "PM",
    "pm": lambda moment: "am" if moment.hour < 12 else "pm",
}
_LAYOUT = re.compile(
    "January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|_2(?!006)|002|0[1-6]|15|[1-5]|PM|pm"
    r"|[-Z]07(?::?00(?::?00)?)?|[.,](?:0+|9+)(?!\d)"
)


def _nothing(piece: str) -> str:
    """The offset from UTC, and the fraction of a whole second."""
    if piece[0] in "-Z":
        return "Z" if piece[0] == "Z" else "+" + piece[1:].replace("7", "0")
    return piece if "0" in piece else ""
