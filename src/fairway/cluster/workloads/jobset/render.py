"""What a JobSet should do next: from the JobSet and its Jobs to a status, Jobs that go, come, stop and start. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from fairway.cluster.workloads.jobset import children, failure, names, runs
from fairway.cluster.workloads.jobset.report import Report
from fairway.cluster.workloads.jobset.runs import Jobs
from fairway.kernel import clock
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

_BURST = 500  # Jobs created in one go


@dataclass(frozen=True)
class Decision:
    report: Report
    delete: tuple[Object, ...] = ()
    create: tuple[Object, ...] = ()
    suspend: tuple[Object, ...] = ()
    resume: tuple[tuple[Object, Object], ...] = ()
    """Jobs with the patch that lets them run."""
    needs_children: bool = False
    """It goes on, so the Service and the claims must be there before Jobs are."""
    again: float | None = None
    remove: bool = False
    """The JobSet itself goes: its time to live is over."""


def decide(jobset: Object, owned: Iterable[Object], now: float) -> Decision:
    jobs = runs.sort(jobset, owned)
    report = Report.of(jobset, clock.timestamp(now))
    report.status["replicatedJobsStatus"] = runs.statuses(jobset, jobs)
    if runs.finished(jobset) is not None:
        return _after_the_end(jobset, jobs, report, now)
    if not runs.suspended(jobset) and _all_ready(jobset, report.status):
        report.ready()
    if jobs.failed:
        failure.execute(jobset, jobs.failed, report)
        return Decision(report, delete=jobs.previous)
    if jobs.succeeded and _succeeded(jobset, jobs):
        report.completed()
        return Decision(report, delete=jobs.previous)
    create = tuple(itertools.islice(_missing(jobset, jobs, report), _BURST))
    suspend: tuple[Object, ...] = ()
    resume: tuple[tuple[Object, Object], ...] = ()
    if runs.suspended(jobset):
        suspend = tuple(job for job in jobs.active if not runs.suspended(job))
        report.suspended()
    else:
        resume = tuple(_resumable(jobset, jobs, report))
    return Decision(report, delete=jobs.previous, create=create, suspend=suspend, resume=resume, needs_children=True)


def _after_the_end(jobset: Object, jobs: Jobs, report: Report, now: float) -> Decision:
    ttl, end = jobset["spec"].get("ttlSecondsAfterFinished"), runs.finished(jobset)
    if ttl is None or end is None:
        return Decision(report, delete=jobs.active)
    left = clock.parse(end["lastTransitionTime"]) + float(ttl) - now
    return Decision(report, delete=jobs.active, again=left if left > 0 else None, remove=left <= 0)


def _all_ready(jobset: Object, status: Object) -> bool:
    wanted = sum(runs.replicas(replicated) for replicated in jobset["spec"].get("replicatedJobs") or ())
    return wanted == sum(int(item["ready"]) + int(item["succeeded"]) for item in status["replicatedJobsStatus"])


def _succeeded(jobset: Object, jobs: Jobs) -> bool:
    policy = jobset["spec"].get("successPolicy") or {}
    targets = policy.get("targetReplicatedJobs")
    counted = [job for job in jobs.succeeded if not targets or meta.labels(job).get(names.REPLICATED_JOB) in targets]
    if policy.get("operator") == "Any":
        return bool(counted)
    replicated = jobset["spec"].get("replicatedJobs") or ()
    return len(counted) >= sum(runs.replicas(each) for each in replicated if not targets or each["name"] in targets)


# Startup


def _missing(jobset: Object, jobs: Jobs, report: Report) -> Iterable[Object]:
    """The Jobs that may be created now: those whose turn it is and that have no predecessor left."""
    in_order = _in_order(jobset) and not runs.suspended(jobset)
    strategy = (jobset["spec"].get("failurePolicy") or {}).get("restartStrategy")
    blocked = strategy == "BlockingRecreate" and bool(jobs.previous)
    for replicated, status in _with_status(jobset, report):
        if not _may_start(jobset, replicated, report) or (in_order and _started(replicated, status)):
            continue
        for index in range(0 if blocked else runs.replicas(replicated)):
            if names.job(meta.name(jobset), replicated["name"], index) not in jobs.names:
                yield children.job(jobset, replicated, index)
        if in_order:
            report.starting()
            return
    if in_order:
        report.started()


def _resumable(jobset: Object, jobs: Jobs, report: Report) -> Iterable[tuple[Object, Object]]:
    in_order = _in_order(jobset)
    for replicated, status in _with_status(jobset, report):
        if not _may_start(jobset, replicated, report) or (in_order and _started(replicated, status)):
            continue
        for job in jobs.active:
            if meta.labels(job).get(names.REPLICATED_JOB) == replicated["name"] and runs.suspended(job):
                yield job, children.resumed(job, replicated)
        if in_order:
            report.starting()
            return
    report.resumed()


def _with_status(jobset: Object, report: Report) -> Iterable[tuple[Object, Object]]:
    return zip(jobset["spec"].get("replicatedJobs") or (), report.status["replicatedJobsStatus"], strict=True)


def _in_order(jobset: Object) -> bool:
    return (jobset["spec"].get("startupPolicy") or {}).get("startupPolicyOrder") == "InOrder"


def _started(replicated: Object, status: Object) -> bool:
    return bool(runs.replicas(replicated) == status["failed"] + status["ready"] + status["succeeded"])


def _may_start(jobset: Object, replicated: Object, report: Report) -> bool:
    """Whether all that it depends on are as far as they should be."""
    known = {each["name"]: (each, status) for each, status in _with_status(jobset, report)}
    for dependency in replicated.get("dependsOn") or ():
        if dependency["name"] not in known:
            return False
        other, status = known[dependency["name"]]
        if dependency["status"] == "Complete" and status["succeeded"] != runs.replicas(other):
            return False
        if dependency["status"] == "Ready" and not _started(other, status):
            return False
    return True
