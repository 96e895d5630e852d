"""`fairway schedules`: pipelines that run by the clock, their calendar, and filling in what was missed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from fairway.cli import nouns, printing
from fairway.cli.nouns import Answer, Noun, Verb
from fairway.cli.runs import reading
from fairway.pipelines import sdk
from fairway.pipelines.sdk import finding, values

_CALENDAR_DAYS = 7
_CALENDAR_SLOTS = 50
"""What the calendar shows by itself, each way: a week, or so many slots of a schedule that has more in it."""


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("schedule", metavar="SCHEDULE", help="its id, or a name that only one has")


def _found(server: sdk.Server, options: argparse.Namespace) -> sdk.Schedule:
    return sdk.find_schedule(options.schedule, server=server)


def _list(server: sdk.Server, _: argparse.Namespace) -> Answer:
    found = finding.newest(server, finding.SCHEDULE)
    rows = (
        (
            one.get("display_name", ""),
            when(one),
            one.get("status", "").lower(),
            printing.moment((one.get("next_slots") or [""])[0]),
            one["recurring_run_id"],
        )
        for one in found
    )
    nothing = "no schedules; `fairway schedules create --help` says how to make one"
    shown = [_without_spec(one) for one in found]
    return Answer(shown, printing.table(("schedule", "when", "status", "next", "id"), rows, nothing))


def when(record: Mapping[str, Any]) -> str:
    """The trigger of a recurring run in a few words."""
    trigger = record.get("trigger") or {}
    if cron := trigger.get("cron_schedule"):
        zone = f" ({cron['time_zone']})" if cron.get("time_zone") else ""
        return f"{cron.get('cron', '')}{zone}"
    seconds = (trigger.get("periodic_schedule") or {}).get("interval_second", "")
    return f"every {seconds} s"


def _show(server: sdk.Server, options: argparse.Namespace) -> Answer:
    record = _without_spec(_found(server, options).record())
    rows = [
        ("schedule", record.get("display_name", "")),
        ("id", record["recurring_run_id"]),
        ("when", when(record)),
        ("status", record.get("status", "").lower()),
        ("parameters", printing.value((record.get("runtime_config") or {}).get("parameters", {}))),
        ("at a time", record.get("max_concurrency", "")),
        *(("next", printing.moment(slot)) for slot in record.get("next_slots", ())),
    ]
    if record.get("error"):
        rows.append(("problem", record["error"].get("message", "")))
    return Answer(record, printing.table(("", ""), rows, ""))


def _without_spec(record: Mapping[str, Any]) -> dict[str, Any]:
    """Without the pipeline, which is long."""
    return {key: value for key, value in record.items() if key != "pipeline_spec"}


def _when_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cron", default="", metavar="EXPRESSION", help='five fields, such as "0 6 * * *", or @daily')
    parser.add_argument("--every", type=float, default=0, metavar="SECONDS", help="instead of --cron")
    parser.add_argument("--time-zone", default="", metavar="ZONE", help="of --cron, such as Europe/Berlin")
    parser.add_argument("--start", metavar="TIME", help="no slot before this time, such as 2027-03-01")
    parser.add_argument("--end", metavar="TIME", help="no slot after this time")
    parser.add_argument(
        "--late-after", type=float, default=0, metavar="SECONDS", help="then a run that is not over is late"
    )


def _create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", metavar="PIPELINE", help="a file, or the name of an uploaded pipeline")
    _when_arguments(parser)
    nouns.parameters(parser)
    parser.add_argument("--name", default="", help="the schedule's name")
    parser.add_argument("--experiment", default="", help="the experiment that its runs are in")
    parser.add_argument("--at-a-time", type=int, default=1, metavar="N", help="most runs at a time (default: 1)")
    parser.add_argument("--no-catchup", action="store_true", help="of the slots that were missed run the last one only")
    parser.add_argument("--disabled", action="store_true", help="start nothing yet")


def _create(server: sdk.Server, options: argparse.Namespace) -> Answer:
    made = sdk.schedule(
        options.pipeline,
        values.read(options.param),
        cron=options.cron,
        every=options.every,
        time_zone=options.time_zone,
        start=options.start,
        end=options.end,
        name=options.name,
        experiment=options.experiment,
        max_concurrency=options.at_a_time,
        catchup=not options.no_catchup,
        late_after=options.late_after,
        enabled=not options.disabled,
        server=server,
    )
    record = _without_spec(made.record())
    upcoming = printing.moment((record.get("next_slots") or [""])[0])
    return Answer(record, f"schedule {record['display_name']} ({made.id}){f', next at {upcoming}' if upcoming else ''}")


def _edit_arguments(parser: argparse.ArgumentParser) -> None:
    _one(parser)
    _when_arguments(parser)
    nouns.parameters(parser)
    parser.add_argument("--pipeline", metavar="PIPELINE", help="a file, or the name of an uploaded pipeline")
    parser.add_argument("--name", default="", help="another name")
    parser.add_argument("--at-a-time", type=int, default=0, metavar="N", help="most runs at a time")
    parser.add_argument("--catchup", action=argparse.BooleanOptionalAction, help="make up for missed slots one by one")


def _edit(server: sdk.Server, options: argparse.Namespace) -> Answer:
    found = _found(server, options)
    found.edit(
        pipeline=options.pipeline,
        parameters=values.read(options.param) if options.param else None,
        cron=options.cron,
        every=options.every,
        time_zone=options.time_zone,
        start=options.start,
        end=options.end,
        name=options.name,
        max_concurrency=options.at_a_time,
        catchup=options.catchup,
        late_after=options.late_after,
    )
    return Answer(_without_spec(found.record()), "changed")


def _simply(act: Callable[[sdk.Schedule], None], said: str) -> nouns.Run:
    def verb(server: sdk.Server, options: argparse.Namespace) -> Answer:
        found = _found(server, options)
        act(found)
        return Answer({"recurring_run_id": found.id}, said)

    return verb


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    _one(parser)
    parser.add_argument("--follow", action="store_true", help="draw the run until its end")


def _run(server: sdk.Server, options: argparse.Namespace) -> Answer | int:
    return reading.begun(_found(server, options).run(), options, "is started")


def _window_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    _one(parser)
    parser.add_argument("--start", required=required, metavar="TIME", help="such as 2027-03-01")
    parser.add_argument("--end", required=required, metavar="TIME")


def _backfill_arguments(parser: argparse.ArgumentParser) -> None:
    _window_arguments(parser, required=True)
    parser.add_argument("--at-a-time", type=int, default=0, metavar="N", help="most runs at a time")


def _backfill(server: sdk.Server, options: argparse.Namespace) -> Answer:
    found = _found(server, options).backfill(options.start, options.end, max_concurrency=options.at_a_time)
    return _slots(found, "every slot of this window has a run already")


def _calendar(server: sdk.Server, options: argparse.Namespace) -> Answer:
    schedule, now = _found(server, options), datetime.now(UTC)
    reach = _reach(schedule.record())
    found = schedule.calendar(options.start or now - reach, options.end or now + reach)
    return _slots(found, "no slots in this window")


def _reach(record: Mapping[str, Any]) -> timedelta:
    """How far the calendar looks where it is not said. Of a disabled cron schedule nobody tells how often it comes."""
    upcoming = [datetime.fromisoformat(slot) for slot in record.get("next_slots") or ()]
    week = timedelta(days=_CALENDAR_DAYS)
    if periodic := record.get("trigger", {}).get("periodic_schedule"):
        apart = timedelta(seconds=float(periodic["interval_second"]))
    elif len(upcoming) > 1:
        apart = (upcoming[-1] - upcoming[0]) / (len(upcoming) - 1)
    else:
        return week / 2
    return min(week, apart * _CALENDAR_SLOTS)


def _slots(found: list[sdk.Slot], nothing: str) -> Answer:
    rows = (
        (printing.moment(slot.scheduled_at), printing.state(slot.state), slot.run_id[: printing.SHORT])
        for slot in found
    )
    return Answer([asdict(slot) for slot in found], printing.table(("slot", "state", "run"), rows, nothing))


NOUN = Noun(
    {
        "list": Verb("the schedules and when they run next", _list),
        "show": Verb("one schedule", _show, _one),
        "create": Verb(
            "run a pipeline by the clock",
            _create,
            _create_arguments,
            'fairway schedules create daily.py --cron "0 6 * * *" --time-zone Europe/Berlin',
        ),
        "edit": Verb("change what is given, and leave the rest", _edit, _edit_arguments),
        "enable": Verb("let it start runs again", _simply(sdk.Schedule.enable, "enabled"), _one),
        "disable": Verb("start nothing until it is enabled", _simply(sdk.Schedule.disable, "disabled"), _one),
        "run": Verb("start one run now", _run, _run_arguments),
        "calendar": Verb(
            "the slots of a window and what became of them (default: a week back and one ahead)",
            _calendar,
            lambda parser: _window_arguments(parser, required=False),
        ),
        "backfill": Verb(
            "start a run for each slot of a past window that has none",
            _backfill,
            _backfill_arguments,
            "fairway schedules backfill daily --start 2027-02-01 --end 2027-02-08",
        ),
        "delete": Verb(
            "remove a schedule; its runs stay", _simply(sdk.Schedule.delete, "deleted; its runs stay"), _one
        ),
    }
)
