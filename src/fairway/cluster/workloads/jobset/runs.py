"""How the Jobs of a JobSet stand: which are of an earlier run, and which of this one go on, failed or succeeded. Pure.

A run is told by the label restart-attempt: restarting a JobSet is raising status.restarts, and whatever Job has a
lower number goes. A Job that is restarted alone is told by job-restart-attempt in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairway.cluster.workloads.jobset import names
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import Object


@dataclass(frozen=True)
class Jobs:
    previous: tuple[Object, ...] = ()
    active: tuple[Object, ...] = ()
    failed: tuple[Object, ...] = ()
    succeeded: tuple[Object, ...] = ()

    @property
    def names(self) -> set[str]:
        return {meta.name(job) for job in (*self.previous, *self.active, *self.failed, *self.succeeded)}


def sort(jobset: Object, owned: Iterable[Object]) -> Jobs:
    sorted_: dict[str, list[Object]] = {"previous": [], "active": [], "failed": [], "succeeded": []}
    for job in sorted(owned, key=meta.name):
        sorted_[_stand(jobset, job)].append(job)
    return Jobs(**{state: tuple(jobs) for state, jobs in sorted_.items()})


def statuses(jobset: Object, jobs: Jobs) -> list[Object]:
    """status.replicatedJobsStatus; the counts of restarts stay as they are."""
    said = {item["name"]: item for item in (jobset.get("status") or {}).get("replicatedJobsStatus") or ()}
    return [
        {**_kept(said.get(replicated["name"])), **_counts(replicated["name"], jobs)}
        for replicated in jobset["spec"].get("replicatedJobs") or ()
    ]


def restarts(jobset: Object) -> int:
    return int((jobset.get("status") or {}).get("restarts") or 0)


def job_restarts(jobset: Object, replicated: str, index: int) -> int:
    """How often a Job was restarted alone."""
    said = (jobset.get("status") or {}).get("replicatedJobsStatus") or ()
    counts = next((item.get("jobRestarts") for item in said if item["name"] == replicated), None) or ()
    return int(counts[index]) if index < len(counts) else 0


def replicas(replicated: Object) -> int:
    return int(replicated.get("replicas", 1))


def suspended(obj: Object) -> bool:
    """Of a JobSet or a Job."""
    return bool(obj["spec"].get("suspend"))


def finished(jobset: Object) -> Object | None:
    """The condition that says that the JobSet is over."""
    for type_ in ("Completed", "Failed"):
        said = conditions.find(jobset, type_)
        if said is not None and said.get("status") == "True":
            return said
    return None


def _stand(jobset: Object, job: Object) -> str:
    if _number(job, names.RESTART_ATTEMPT) < restarts(jobset) or _restarted_alone(jobset, job):
        return "previous"
    if conditions.is_true(job, "Failed"):
        return "failed"
    return "succeeded" if conditions.is_true(job, "Complete") else "active"


def _restarted_alone(jobset: Object, job: Object) -> bool:
    parent, index = meta.labels(job).get(names.REPLICATED_JOB) or "", _number(job, names.JOB_INDEX)
    return _number(job, names.JOB_RESTART_ATTEMPT) < job_restarts(jobset, parent, index)


def _number(job: Object, label: str) -> int:
    text = meta.labels(job).get(label) or ""
    return int(text) if text.isdecimal() else 0


def _kept(said: Object | None) -> Object:
    kept = ("jobRestarts", "jobRestartsCountTowardsMax")
    return {field: said[field] for field in kept if said and said.get(field)}


def _counts(name: str, jobs: Jobs) -> Object:
    def mine(group: tuple[Object, ...]) -> list[Object]:
        return [job for job in group if meta.labels(job).get(names.REPLICATED_JOB) == name]

    active = mine(jobs.active)
    return {
        "name": name,
        "ready": sum(1 for job in active if _ready(job)),
        "succeeded": len(mine(jobs.succeeded)),
        "failed": len(mine(jobs.failed)),
        "active": sum(1 for job in active if (job.get("status") or {}).get("active")),
        "suspended": sum(1 for job in active if suspended(job)),
    }


def _ready(job: Object) -> bool:
    """As many pods are ready or done as the Job runs at once."""
    status, spec = job.get("status") or {}, job["spec"]
    wanted = int(spec.get("parallelism", 1))
    if spec.get("completions") is not None:
        wanted = min(wanted, int(spec["completions"]))
    return int(status.get("succeeded") or 0) + int(status.get("ready") or 0) >= wanted
