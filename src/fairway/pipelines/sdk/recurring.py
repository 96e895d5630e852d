"""Schedules: pipelines that run by the clock, their calendar, and filling in what a past window missed.

KFP's recurring runs, with time zones, changes, back-fills and a calendar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fairway.pipelines.sdk import finding, templating, values
from fairway.pipelines.sdk.connecting import connect
from fairway.pipelines.sdk.failures import Failure
from fairway.pipelines.sdk.running import Run
from fairway.pipelines.sdk.wire import Api

Moment = datetime | str
"""A time: a datetime, or its text in ISO 8601. Without a zone it is UTC."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A time at which the schedule is due. `state` is that of its run, or MISSED, DUE, PLANNED; times are RFC 3339."""

    scheduled_at: str
    state: str
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One recurring run. Nothing is remembered: each question is asked of the server."""

    api: Api = field(repr=False)
    id: str

    def record(self) -> dict[str, Any]:
        """The schedule as the API has it: KFP's RecurringRun message."""
        return self.api.get(self._path)

    def edit(
        self,
        *,
        pipeline: Any = None,
        parameters: Mapping[str, Any] | None = None,
        cron: str = "",
        every: float = 0,
        time_zone: str = "",
        start: Moment | None = None,
        end: Moment | None = None,
        name: str = "",
        max_concurrency: int = 0,
        catchup: bool | None = None,
        late_after: float = 0,
    ) -> None:
        """Change what is given and leave the rest. A new time counts from now."""
        body = _own_fields(name, max_concurrency, catchup, late_after)
        if pipeline is not None:
            body |= templating.fields(self.api, pipeline, None, "")
        if parameters is not None:
            body["runtime_config"] = {"parameters": values.sent(parameters)}
        if cron or every or time_zone or start or end:
            body["trigger"] = _changed(self.record()["trigger"], cron, every, time_zone, start, end)
        self.api.patch(self._path, body)

    def enable(self) -> None:
        self.api.post(f"{self._path}:enable")

    def disable(self) -> None:
        """Start nothing until `enable`."""
        self.api.post(f"{self._path}:disable")

    def run(self) -> Run:
        """Start one now, beside the calendar."""
        return Run(self.api, self.api.post(f"{self._path}:run")["run_id"])

    def backfill(self, start: Moment, end: Moment, *, max_concurrency: int = 0) -> list[Slot]:
        """Start a run for each slot between two times that has none; gives these slots."""
        body: dict[str, Any] = {"start_time": _rfc3339(start), "end_time": _rfc3339(end)}
        if max_concurrency:
            body["max_concurrency"] = max_concurrency
        return _slots(self.api.post(f"{self._path}:backfill", body))

    def calendar(self, start: Moment, end: Moment) -> list[Slot]:
        """The slots between two times, with what became of them."""
        window = {"start_time": _rfc3339(start), "end_time": _rfc3339(end)}
        return _slots(self.api.get(f"{self._path}/slots", **window))

    def delete(self) -> None:
        """Runs that it started stay."""
        self.api.delete(self._path)

    @property
    def _path(self) -> str:
        return f"recurringruns/{self.id}"


def schedule(
    pipeline: Any,
    parameters: Mapping[str, Any] | None = None,
    *,
    cron: str = "",
    every: float = 0,
    time_zone: str = "",
    start: Moment | None = None,
    end: Moment | None = None,
    name: str = "",
    experiment: str = "",
    max_concurrency: int = 1,
    catchup: bool = True,
    late_after: float = 0,
    enabled: bool = True,
    server: Api | None = None,
) -> Schedule:
    """Run a pipeline by the clock: by a cron expression in a time zone (IANA's name), or every so many seconds.

    `pipeline` is a pipeline function, a file, or the name of an uploaded pipeline, whose newest version is run each
    time. Slots that were missed are made up for one after another, or with catchup=False only the last of them. A run
    that is not over `late_after` seconds after its slot is late, which notices tell of. Raises Failure.
    """
    api = server or connect()
    body = {
        "display_name": name or getattr(pipeline, "name", "") or str(pipeline),
        "mode": "ENABLE" if enabled else "DISABLE",
        "trigger": _trigger(cron, every, time_zone, start, end),
        **_own_fields("", max_concurrency, catchup, late_after),
        **templating.fields(api, pipeline, parameters, experiment),
    }
    return Schedule(api, api.post("recurringruns", body)["recurring_run_id"])


def schedules(*, server: Api | None = None) -> list[Schedule]:
    """All of them, newest first."""
    api = server or connect()
    return [Schedule(api, each["recurring_run_id"]) for each in finding.newest(api, finding.SCHEDULE)]


def find_schedule(asked: str, *, server: Api | None = None) -> Schedule:
    """A schedule by its id, or by a name that only one has. Raises NotThere."""
    api = server or connect()
    return Schedule(api, finding.one(api, finding.SCHEDULE, asked)["recurring_run_id"])


def _own_fields(name: str, max_concurrency: int, catchup: bool | None, late_after: float) -> dict[str, Any]:
    """What is set; numbers are texts where KFP's are."""
    body: dict[str, Any] = {}
    if name:
        body["display_name"] = name
    if max_concurrency:
        body["max_concurrency"] = str(max_concurrency)
    if catchup is not None:
        body["no_catchup"] = not catchup
    if late_after:
        body["late_after_seconds"] = int(late_after)
    return body


def _changed(
    trigger: Mapping[str, Any], cron: str, every: float, time_zone: str, start: Moment | None, end: Moment | None
) -> dict[str, Any]:
    """The trigger with what is given in the place of the old. The rest stays; an interval has no time zone."""
    old = trigger.get("cron_schedule") or trigger.get("periodic_schedule") or {}
    if not cron and not every:
        cron, every = old.get("cron", ""), float(old.get("interval_second", 0))
    if cron:
        time_zone = time_zone or old.get("time_zone", "")
    return _trigger(cron, every, time_zone, start or old.get("start_time"), end or old.get("end_time"))


def _trigger(cron: str, every: float, time_zone: str, start: Moment | None, end: Moment | None) -> dict[str, Any]:
    if bool(cron) == bool(every):
        raise Failure('a schedule needs either cron, such as "0 6 * * *", or every, in seconds')
    window = {
        **({"start_time": _rfc3339(start)} if start else {}),
        **({"end_time": _rfc3339(end)} if end else {}),
    }
    if cron:
        zone = {"time_zone": time_zone} if time_zone else {}
        return {"cron_schedule": {"cron": cron, **zone, **window}}
    if time_zone:
        raise Failure("a time zone is for cron; every so many seconds is the same everywhere")
    return {"periodic_schedule": {"interval_second": str(int(every)), **window}}


def _rfc3339(moment: Moment) -> str:
    try:
        found = moment if isinstance(moment, datetime) else datetime.fromisoformat(moment.replace("Z", "+00:00"))
    except ValueError as wrong:
        raise Failure(f"{moment!r} is not a time such as 2027-03-01 or 2027-03-01T06:00:00+01:00") from wrong
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found.isoformat().replace("+00:00", "Z")


def _slots(answer: Mapping[str, Any]) -> list[Slot]:
    return [
        Slot(each["scheduled_at"], each.get("state", ""), each.get("run_id", "")) for each in answer.get("slots", ())
    ]
