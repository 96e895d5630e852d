"""What a Job should do next: from the Job and its pods to a status, pods to create and pods to delete. Pure.

Conditions come in upstream's order: SuccessCriteriaMet before Complete, FailureTarget before Failed; the
second of each pair comes when no pod of the Job is left running and all are counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairway.cluster.workloads import pods
from fairway.cluster.workloads.jobs import counting, outcome, replicas
from fairway.cluster.workloads.jobs.outcome import Outcome
from fairway.cluster.workloads.jobs.replicas import Seen
from fairway.kernel import clock
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import Object


@dataclass(frozen=True)
class Decision:
    status: Object
    create: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()
    release: tuple[Object, ...] = ()
    """Pods whose tracking finalizer goes, after `status` is written."""
    again: float | None = None
    remove: bool = False
    """The Job itself goes: its time to live is over."""


def decide(job: Object, owned: Iterable[Object], now: float, retry_delay: float) -> Decision:
    owned = list(owned)
    if outcome.finished(job):
        return _after_the_end(job, owned, now)
    seen = _look(job, owned)
    end = outcome.of(job, owned, seen.active, seen.counts, now)
    if end is not None:
        return _wind_up(job, _look(job, owned, ending=True), end, now)
    if job["spec"].get("suspend"):
        return _suspend(job, seen, now)
    return _go_on(job, seen, now, retry_delay)


def _look(job: Object, owned: list[Object], *, ending: bool = False) -> Seen:
    return Seen(
        owned,
        active=[pod for pod in owned if pods.active(pod)],
        leaving=[pod for pod in owned if meta.being_deleted(pod) and not pods.over(pod) and not pods.gone(pod)],
        counts=counting.count(job, owned, ending=ending),
    )


# How it ends


def _wind_up(job: Object, seen: Seen, end: Outcome, now: float) -> Decision:
    moment = clock.timestamp(now)
    first, last = ("SuccessCriteriaMet", "Complete") if end.good else ("FailureTarget", "Failed")
    wanted: list[tuple[str, bool | None, str, str]] = [(first, True, end.reason, end.message)]
    status = _status(job, seen, moment)
    if not job["spec"].get("suspend"):
        status.setdefault("startTime", moment)
    quiet = not seen.active and not seen.leaving and seen.counts.settled
    if quiet:
        wanted.append((last, True, end.reason, end.message))
        if end.good:
            status["completionTime"] = moment
    status["conditions"] = conditions.merged((job.get("status") or {}).get("conditions"), moment, *wanted)
    return Decision(status, delete=tuple(seen.active), release=seen.counts.release)


def _after_the_end(job: Object, owned: list[Object], now: float) -> Decision:
    release = tuple(pod for pod in owned if counting.tracked(pod))
    delete = tuple(pod for pod in owned if pods.active(pod))
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    if ttl is None:
        return Decision(job.get("status") or {}, delete=delete, release=release)
    end = next(c for c in job["status"]["conditions"] if c["type"] in ("Complete", "Failed") and c["status"] == "True")
    left = clock.parse(end["lastTransitionTime"]) + float(ttl) - now
    return Decision(job["status"], delete=delete, release=release, again=left if left > 0 else None, remove=left <= 0)


# How it goes on


def _suspend(job: Object, seen: Seen, now: float) -> Decision:
    moment = clock.timestamp(now)
    status = _status(job, seen, moment)
    status["conditions"] = conditions.merged(
        (job.get("status") or {}).get("conditions"), moment, ("Suspended", True, "JobSuspended", "Job suspended")
    )
    return Decision(status, delete=tuple(seen.active), release=seen.counts.release)


def _go_on(job: Object, seen: Seen, now: float, retry_delay: float) -> Decision:
    moment = clock.timestamp(now)
    status = _status(job, seen, moment)
    status.setdefault("startTime", moment)
    if conditions.is_true(job, "Suspended"):
        # The deadline of a Job that was suspended begins anew.
        status["startTime"] = moment
        resumed = ("Suspended", False, "JobResumed", "Job resumed")
        status["conditions"] = conditions.merged(job["status"]["conditions"], moment, resumed)
    change = replicas.change(job, seen, now, retry_delay)
    moments = [change.wait] if change.wait else []
    due = outcome.deadline({**job, "status": status})
    if due is not None:
        moments.append(max(0.01, due - now))
    return Decision(
        status,
        create=change.create,
        delete=change.delete,
        release=seen.counts.release,
        again=min(moments, default=None),
    )


def _status(job: Object, seen: Seen, moment: str) -> Object:
    """Counts and lists as a merge patch: None takes a field away."""
    said = job.get("status") or {}
    return {
        **{field: said[field] for field in ("startTime", "conditions") if field in said},
        **seen.counts.status(),
        "active": len(seen.active) or None,
        "ready": sum(1 for pod in seen.active if pods.ready(pod)),
        "terminating": len(seen.leaving),
    }
