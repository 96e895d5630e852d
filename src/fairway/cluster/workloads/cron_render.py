"""What a CronJob should do next: from it, its Jobs and the time to a Job to create, Jobs to delete, a status. Pure.

A Job is named by the minute of its slot, so that a slot never runs twice. Of the slots that were missed only the
last one runs, and none that is older than startingDeadlineSeconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fairway.cluster.workloads.jobs import outcome
from fairway.kernel import clock, cron
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import JOB, Object

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"

_MANY_MISSED = 100


@dataclass(frozen=True)
class Said:
    """An Event of the CronJob."""

    reason: str
    message: str
    type: str = "Normal"


@dataclass(frozen=True)
class Decision:
    status: Object
    create: Object | None = None
    delete: tuple[Object, ...] = ()
    said: tuple[Said, ...] = ()
    complaint: Said | None = None
    """Said however often the CronJob is looked at."""
    again: float | None = None


def decide(cron_job: Object, owned: Iterable[Object], now: float) -> Decision:
    owned = sorted(owned, key=_born)
    active = [job for job in owned if not outcome.finished(job) and not meta.being_deleted(job)]
    status = _status(cron_job, owned, active)
    said = [_ended(job) for job in owned if outcome.finished(job) and _listed(cron_job, job)]
    old = tuple(_beyond_history(cron_job, owned))
    if cron_job["spec"].get("suspend"):
        return Decision(status, delete=old, said=tuple(said))
    try:
        slots = _Slots(cron_job["spec"])
    except cron.NeverComes as never:
        text = f"invalid schedule: {cron_job['spec']['schedule']} : {never.message}"
        return Decision(status, delete=old, said=tuple(said), complaint=Said("InvalidSchedule", text, "Warning"))
    due, missed = slots.last_between(_since(cron_job, now), now)
    if missed > _MANY_MISSED:
        text = (
            f"too many missed start times: {missed}. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        )
        said.append(Said("TooManyMissedTimes", text, "Warning"))
    following = slots.after(now)
    again = None if following is None else max(0.01, following - now)
    if due is None or _is_done(cron_job, due):
        return Decision(status, delete=old, said=tuple(said), again=again)
    policy = cron_job["spec"].get("concurrencyPolicy")
    if policy == "Forbid" and active:
        text = "Not starting job because prior execution is running and concurrency policy is Forbid"
        # The slot is not lost while its deadline lasts: the end of the running Job wakes us.
        return Decision(status, delete=old, said=(*said, Said("JobAlreadyActive", text)), again=again)
    replaced = tuple(active) if policy == "Replace" else ()
    job = _job(cron_job, due)
    status["lastScheduleTime"] = clock.timestamp(due)
    staying = [reference for reference in status["active"] or () if not replaced]
    status["active"] = [*staying, _reference(job)]
    return Decision(status, job, (*old, *replaced), tuple(said), again=again)


class _Slots:
    """The moments of a schedule, in its time zone."""

    def __init__(self, spec: Object) -> None:
        zone = cron.zone(spec.get("timeZone") or "UTC")
        self._every = cron.every(spec["schedule"])
        self._cron = None if self._every else cron.Cron(spec["schedule"], zone)

    def after(self, moment: float) -> float | None:
        if self._cron is None:
            return float((int(moment) // self._every + 1) * self._every)
        return self._cron.after(moment)

    def last_between(self, start: float, end: float) -> tuple[float | None, int]:
        """The last slot after `start` and not after `end`, and how many there are; counting stops when it is many."""
        last, count, at = None, 0, start
        while count <= _MANY_MISSED:
            following = self.after(at)
            if following is None or following > end:
                return last, count
            last, count, at = following, count + 1, following
        return self._last_before(end), count

    def _last_before(self, end: float) -> float | None:
        """Looking back in growing steps, for schedules with very many missed slots."""
        step = 60.0
        while step < 1e10:
            at, last = end - step, None
            while (following := self.after(at)) is not None and following <= end:
                last = at = following
            if last is not None:
                return last
            step *= 4
        return None


def _since(cron_job: Object, now: float) -> float:
    """Slots up to here are dealt with, or too old."""
    last = (cron_job.get("status") or {}).get("lastScheduleTime") or cron_job["metadata"]["creationTimestamp"]
    deadline = cron_job["spec"].get("startingDeadlineSeconds")
    since = clock.parse(last)
    return since if deadline is None else max(since, now - float(deadline) - 1e-3)


def _is_done(cron_job: Object, due: float) -> bool:
    last = (cron_job.get("status") or {}).get("lastScheduleTime")
    return last is not None and clock.parse(last) >= due


def _status(cron_job: Object, owned: list[Object], active: list[Object]) -> Object:
    said = cron_job.get("status") or {}
    status: Object = {"active": [_reference(job) for job in active] or None}
    if "lastScheduleTime" in said:
        status["lastScheduleTime"] = said["lastScheduleTime"]
    # Who keeps a Job in place of our controller (managedBy) may leave the time out.
    ends = [str(job["status"].get("completionTime") or "") for job in owned if conditions.is_true(job, "Complete")]
    if latest := max([*ends, said.get("lastSuccessfulTime") or ""]):
        status["lastSuccessfulTime"] = latest
    return status


def _listed(cron_job: Object, job: Object) -> bool:
    active = (cron_job.get("status") or {}).get("active") or ()
    return any(reference.get("name") == meta.name(job) for reference in active)


def _ended(job: Object) -> Said:
    end = "Complete" if conditions.is_true(job, "Complete") else "Failed"
    return Said("SawCompletedJob", f"Saw completed job: {meta.name(job)}, condition: {end}")


def _beyond_history(cron_job: Object, owned: list[Object]) -> Iterable[Object]:
    """Finished Jobs that are more than the limits keep, the oldest first."""
    for end, field in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
        limit = cron_job["spec"].get(field)
        finished = [job for job in owned if conditions.is_true(job, end) and not meta.being_deleted(job)]
        if limit is not None and len(finished) > int(limit):
            yield from finished[: len(finished) - int(limit)]


def _born(job: Object) -> tuple[str, str]:
    return str((job.get("status") or {}).get("startTime") or ""), meta.name(job)


def _job(cron_job: Object, due: float) -> Object:
    template = cron_job["spec"]["jobTemplate"]
    metadata = template.get("metadata") or {}
    zone = cron.zone(cron_job["spec"].get("timeZone") or "UTC")
    moment = datetime.fromtimestamp(due, zone).isoformat().replace("+00:00", "Z")
    return JOB.new(
        f"{meta.name(cron_job)}-{int(due) // 60}",
        meta.namespace(cron_job),
        metadata={
            "labels": dict(metadata.get("labels") or {}),
            "annotations": {**(metadata.get("annotations") or {}), SCHEDULED_AT: moment},
            "ownerReferences": [meta.owner_reference(cron_job)],
        },
        spec=template["spec"],
    )


def _reference(job: Object) -> Object:
    found = {"kind": "Job", "apiVersion": "batch/v1", "name": meta.name(job), "namespace": meta.namespace(job)}
    return found | ({"uid": meta.uid(job)} if job["metadata"].get("uid") else {})
