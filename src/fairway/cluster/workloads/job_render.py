"""What a Job should do next: from the Job and its pods to a status, pods to create and pods to delete. Pure.

Conditions come in upstream's order: SuccessCriteriaMet before Complete, FailureTarget before Failed; the
second of each pair comes when no pod of the Job is left running and all are counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from fairway.cluster.workloads import job_counting, pods
from fairway.cluster.workloads.job_counting import INDEX, TRACKING, Counts
from fairway.kernel import clock
from fairway.kernel.objects import conditions, meta, names
from fairway.kernel.objects.kinds import Object

_LONGEST_DELAY = 600.0
_UNSUPPORTED = ("podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes")


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


@dataclass(frozen=True)
class _Seen:
    active: list[Object]
    leaving: list[Object]
    counts: Counts


def decide(job: Object, owned: Iterable[Object], now: float, retry_delay: float) -> Decision:
    owned = list(owned)
    if finished(job):
        return _after_the_end(job, owned, now)
    counts = job_counting.count(job, owned)
    seen = _Seen(
        active=[pod for pod in owned if pods.active(pod)],
        leaving=[pod for pod in owned if meta.being_deleted(pod) and not pods.over(pod)],
        counts=counts,
    )
    outcome = _outcome(job, seen, now)
    if outcome is not None:
        return _wind_up(job, seen, outcome, now)
    if job["spec"].get("suspend"):
        return _suspend(job, seen, now)
    return _go_on(job, owned, seen, now, retry_delay)


def finished(job: Object) -> bool:
    return conditions.is_true(job, "Complete") or conditions.is_true(job, "Failed")


# How it ends


@dataclass(frozen=True)
class _Outcome:
    good: bool
    reason: str
    message: str


def _outcome(job: Object, seen: _Seen, now: float) -> _Outcome | None:
    for type_, good in (("FailureTarget", False), ("SuccessCriteriaMet", True)):
        said = conditions.find(job, type_)
        if said and said["status"] == "True":
            return _Outcome(good, said.get("reason", ""), said.get("message", ""))
    if refused := _refused(job):
        return _Outcome(False, "Unsupported", refused)
    spec = job["spec"]
    limit = int(spec.get("backoffLimit", 6))
    if seen.counts.failed > limit or _restarts_exceed(job, seen.active, limit):
        return _Outcome(False, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    due = _deadline(job)
    if due is not None and now >= due:
        return _Outcome(False, "DeadlineExceeded", "Job was active longer than specified deadline")
    completions = spec.get("completions")
    if completions is None:
        reached = seen.counts.succeeded > 0 and not seen.active
    else:
        reached = seen.counts.succeeded >= int(completions)
    return _Outcome(True, "CompletionsReached", "Reached expected number of succeeded pods") if reached else None


def _refused(job: Object) -> str:
    spec = job["spec"]
    fields = [f"spec.{field}" for field in _UNSUPPORTED if spec.get(field) is not None]
    if spec.get("podReplacementPolicy") not in (None, "TerminatingOrFailed"):
        fields.append(f"spec.podReplacementPolicy {spec['podReplacementPolicy']}")
    if not fields:
        return ""
    return f"{', '.join(fields)} is not supported by the embedded cluster yet: remove it and create the Job again"


def _restarts_exceed(job: Object, active: list[Object], limit: int) -> bool:
    """With restartPolicy OnFailure the node restarts containers, and those restarts are the failures."""
    if job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        int(container.get("restartCount") or 0)
        for pod in active
        for container in (pod.get("status") or {}).get("containerStatuses") or ()
    )
    return restarts > 0 and restarts >= limit


def _deadline(job: Object) -> float | None:
    seconds = job["spec"].get("activeDeadlineSeconds")
    started = (job.get("status") or {}).get("startTime")
    if seconds is None or not started or job["spec"].get("suspend"):
        return None
    return clock.parse(started) + float(seconds)


def _wind_up(job: Object, seen: _Seen, outcome: _Outcome, now: float) -> Decision:
    moment = clock.timestamp(now)
    first, last = ("SuccessCriteriaMet", "Complete") if outcome.good else ("FailureTarget", "Failed")
    wanted: list[tuple[str, bool | None, str, str]] = [(first, True, outcome.reason, outcome.message)]
    status = _status(job, seen, moment)
    quiet = not seen.active and not seen.leaving and seen.counts.settled
    if quiet:
        wanted.append((last, True, outcome.reason, outcome.message))
        if outcome.good:
            status["completionTime"] = moment
    status["conditions"] = conditions.merged((job.get("status") or {}).get("conditions"), moment, *wanted)
    return Decision(status, delete=tuple(seen.active), release=seen.counts.release)


def _after_the_end(job: Object, owned: list[Object], now: float) -> Decision:
    release = tuple(pod for pod in owned if job_counting.tracked(pod))
    delete = tuple(pod for pod in owned if pods.active(pod))
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    if ttl is None:
        return Decision(job.get("status") or {}, delete=delete, release=release)
    end = next(c for c in job["status"]["conditions"] if c["type"] in ("Complete", "Failed") and c["status"] == "True")
    left = clock.parse(end["lastTransitionTime"]) + float(ttl) - now
    return Decision(job["status"], delete=delete, release=release, again=left if left > 0 else None, remove=left <= 0)


# How it goes on


def _suspend(job: Object, seen: _Seen, now: float) -> Decision:
    moment = clock.timestamp(now)
    status = _status(job, seen, moment)
    status["startTime"] = None
    status["conditions"] = conditions.merged(
        (job.get("status") or {}).get("conditions"), moment, ("Suspended", True, "JobSuspended", "Job suspended")
    )
    return Decision(status, delete=tuple(seen.active), release=seen.counts.release)


def _go_on(job: Object, owned: list[Object], seen: _Seen, now: float, retry_delay: float) -> Decision:
    moment = clock.timestamp(now)
    status = _status(job, seen, moment)
    status.setdefault("startTime", moment)
    if conditions.is_true(job, "Suspended"):
        resumed = ("Suspended", False, "JobResumed", "Job resumed")
        status["conditions"] = conditions.merged(job["status"]["conditions"], moment, resumed)
    wanted = _wanted(job, seen)
    surplus = sorted(seen.active, key=_worth)[: max(0, len(seen.active) - wanted)]
    missing = wanted - len(seen.active)
    wait = _retry_wait(owned, seen, now, retry_delay) if missing > 0 else 0.0
    create = tuple(_new_pods(job, owned, seen, missing)) if missing > 0 and wait <= 0 else ()
    due = _deadline({**job, "status": status})
    moments = [wait] if wait > 0 else []
    if due is not None:
        moments.append(max(0.01, due - now))
    return Decision(
        status,
        create=create,
        delete=tuple(surplus),
        release=seen.counts.release,
        again=min(moments, default=None),
    )


def _wanted(job: Object, seen: _Seen) -> int:
    """How many pods should be active now."""
    parallelism = int(job["spec"].get("parallelism", 1))
    completions = job["spec"].get("completions")
    if completions is None:
        # A work queue: once one pod has said that the work is done, no new one starts.
        return min(len(seen.active), parallelism) if seen.counts.succeeded else parallelism
    return max(0, min(parallelism, int(completions) - seen.counts.succeeded))


def _retry_wait(owned: list[Object], seen: _Seen, now: float, retry_delay: float) -> float:
    """After a failure the next pod waits: `retry_delay` doubling with each failure since the last success."""
    ended = sorted((_ended(pod), pods.phase(pod) == "Failed") for pod in owned if pods.over(pod))
    failures = len(list(itertools.takewhile(lambda end: end[1], reversed(ended))))
    if not failures:
        return 0.0
    delay = min(retry_delay * 2.0 ** (failures - 1), _LONGEST_DELAY)
    return max(0.0, ended[-1][0] + delay - now)


def _ended(pod: Object) -> float:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    ends = [
        clock.parse(end)
        for status in statuses
        if (end := ((status.get("state") or {}).get("terminated") or {}).get("finishedAt"))
    ]
    born = pod["metadata"].get("creationTimestamp")
    return max(ends, default=clock.parse(born) if born else 0.0)


def _worth(pod: Object) -> tuple[bool, bool, int, str]:
    return bool(pods.node_name(pod)), pods.ready(pod), -(job_counting.index_of(pod) or 0), meta.name(pod)


def _new_pods(job: Object, owned: list[Object], seen: _Seen, count: int) -> Iterable[Object]:
    taken = {meta.name(pod) for pod in owned}
    if job["spec"].get("completionMode") != "Indexed":
        fresh = (name for name in _names(job) if name not in taken)
        for name in itertools.islice(fresh, count):
            yield _pod(job, name)
        return
    busy = {job_counting.index_of(pod) for pod in seen.active} | seen.counts.completed_indexes
    free = [index for index in range(int(job["spec"]["completions"])) if index not in busy]
    for index in free[:count]:
        yield _pod(job, next(name for name in _names(job, index) if name not in taken), index)


def _names(job: Object, *parts: int) -> Iterable[str]:
    for slot in itertools.count():
        words = [str(part) for part in parts]
        yield names.child(meta.name(job), *words, pods.slug(meta.uid(job), *words, slot))


def _pod(job: Object, name: str, index: int | None = None) -> Object:
    uid, job_name = meta.uid(job), meta.name(job)
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": job_name,
        "controller-uid": uid,
        "job-name": job_name,
    }
    template = job["spec"]["template"]
    pod = pods.from_template(template, name, job, labels=labels)
    metadata = {**pod["metadata"], "finalizers": [*(pod["metadata"].get("finalizers") or ()), TRACKING]}
    if index is None:
        return {**pod, "metadata": metadata}
    metadata["labels"] = {**metadata["labels"], INDEX: str(index)}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), INDEX: str(index)}
    spec = {**pod["spec"], "containers": [_told_index(c) for c in pod["spec"].get("containers") or ()]}
    if spec.get("initContainers"):
        spec["initContainers"] = [_told_index(container) for container in spec["initContainers"]]
    spec.setdefault("hostname", f"{job_name}-{index}"[:63].rstrip("-"))
    return {**pod, "metadata": metadata, "spec": spec}


def _told_index(container: Object) -> Object:
    env = [item for item in container.get("env") or () if item.get("name") != "JOB_COMPLETION_INDEX"]
    path = f"metadata.labels['{INDEX}']"
    told = {"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
    return {**container, "env": [*env, told]}


def _status(job: Object, seen: _Seen, moment: str) -> Object:
    """Counts and lists as a merge patch: None takes a field away."""
    said = job.get("status") or {}
    return {
        **{field: said[field] for field in ("startTime", "conditions") if field in said},
        **seen.counts.status(indexed=job["spec"].get("completionMode") == "Indexed"),
        "active": len(seen.active) or None,
        "ready": sum(1 for pod in seen.active if pods.ready(pod)),
        "terminating": len(seen.leaving),
    }
