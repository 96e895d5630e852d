"""Whether a Job is over, and how: the reasons and sentences are upstream's. Pure.

What a Job once said of its end (FailureTarget, SuccessCriteriaMet) stands, whatever its pods do afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairway.cluster.workloads.jobs import counting, policies
from fairway.cluster.workloads.jobs.counting import Counts
from fairway.kernel import clock
from fairway.kernel.objects import conditions, pod_statuses
from fairway.kernel.objects.kinds import Object


@dataclass(frozen=True)
class Outcome:
    good: bool
    reason: str
    message: str


def finished(job: Object) -> bool:
    return conditions.is_true(job, "Complete") or conditions.is_true(job, "Failed")


def of(job: Object, owned: Iterable[Object], active: list[Object], counts: Counts, now: float) -> Outcome | None:
    return _said(job) or _failure(job, owned, active, counts, now) or _success(job, active, counts)


def deadline(job: Object) -> float | None:
    """When the Job has been active for too long; a suspension stops that clock, and it starts anew afterwards."""
    seconds = job["spec"].get("activeDeadlineSeconds")
    started = (job.get("status") or {}).get("startTime")
    if seconds is None or not started or job["spec"].get("suspend") or conditions.is_true(job, "Suspended"):
        return None
    return clock.parse(started) + float(seconds)


def _said(job: Object) -> Outcome | None:
    for type_, good in (("FailureTarget", False), ("SuccessCriteriaMet", True)):
        said = conditions.find(job, type_)
        if said and said["status"] == "True":
            return Outcome(good, said.get("reason", ""), said.get("message", ""))
    return None


def _failure(job: Object, owned: Iterable[Object], active: list[Object], counts: Counts, now: float) -> Outcome | None:
    for pod in owned:
        if policies.failed(job, pod) and (verdict := policies.judge(job, pod)).action == "FailJob":
            return Outcome(False, "PodFailurePolicy", verdict.message)
    limit = int(job["spec"].get("backoffLimit", 6))
    if counts.failed > limit or _restarts_exceed(job, active, limit):
        return Outcome(False, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    due = deadline(job)
    if due is not None and now >= due:
        return Outcome(False, "DeadlineExceeded", "Job was active longer than specified deadline")
    return _index_failure(job, counts)


def _index_failure(job: Object, counts: Counts) -> Outcome | None:
    if not counts.failed_indexes:
        return None
    bad, done = len(counts.failed_indexes), len(counts.completed_indexes or ())
    most = job["spec"].get("maxFailedIndexes")
    if most is not None and bad > int(most):
        text = "Job has exceeded the specified maximal number of failed indexes"
        return Outcome(False, "MaxFailedIndexesExceeded", text)
    if bad + done >= int(job["spec"]["completions"]):
        return Outcome(False, "FailedIndexes", "Job has failed indexes")
    return None


def _success(job: Object, active: list[Object], counts: Counts) -> Outcome | None:
    if counting.indexed(job) and (rule := policies.succeeded(job, counts.completed_indexes or ())):
        return Outcome(True, "SuccessPolicy", rule)
    completions = job["spec"].get("completions")
    idle = counts.succeeded > 0 and not active
    reached = idle if completions is None else counts.succeeded >= int(completions)
    return Outcome(True, "CompletionsReached", "Reached expected number of succeeded pods") if reached else None


def _restarts_exceed(job: Object, active: list[Object], limit: int) -> bool:
    """With restartPolicy OnFailure the node restarts containers, and those restarts are the failures."""
    if job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        int(container.get("restartCount") or 0) for pod in active for container in pod_statuses.of_containers(pod)
    )
    return restarts > 0 and restarts >= limit
