"""What a failed Job does to its JobSet: the first rule of failurePolicy that fits one decides. Pure.

Without a policy the JobSet fails; without a rule that fits it is restarted, as often as maxRestarts allows.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.cluster.workloads.jobset import names, runs
from fairway.cluster.workloads.jobset.report import Report
from fairway.kernel.objects import conditions, meta, patterns
from fairway.kernel.objects.kinds import Object

_LONGEST_MESSAGE = 1024


def execute(jobset: Object, failed: tuple[Object, ...], report: Report) -> None:
    policy = jobset["spec"].get("failurePolicy")
    if policy is None:
        report.failed("FailedJobs", _text("jobset failed due to one or more job failures", min(failed, key=_when)))
        return
    rule, job = _first(policy.get("rules") or (), failed)
    action = rule["action"] if rule else "RestartJobSet"
    applying = _text(f"applying {action} failure policy action", job)
    reason = f"{action}FailurePolicyAction"
    if action == "FailJobSet":
        report.failed(reason, applying)
        return
    counts = not action.endswith("AndIgnoreMaxRestarts")
    if counts and _counted(report.status) >= int(policy.get("maxRestarts") or 0):
        report.failed("ReachedMaxRestarts", _text("jobset failed due to reaching max number of restarts", job))
    elif action.startswith("RestartJobSet"):
        _restart_all(report, rule, counts, applying)
        report.tell(reason, applying, warning=True)
    else:
        _restart_one(jobset, job, report, counts)
        report.tell(reason, applying, warning=True)


def _first(rules: Iterable[Object], failed: tuple[Object, ...]) -> tuple[Object | None, Object]:
    """The first rule that fits, with the earliest of the failed Jobs that it fits."""
    for rule in rules:
        fitting = [job for job in failed if _fits(rule, job)]
        if fitting:
            return rule, min(fitting, key=_when)
    return None, min(failed, key=_when)


def _fits(rule: Object, job: Object) -> bool:
    end = conditions.find(job, "Failed") or {}
    reasons, texts = rule.get("onJobFailureReasons"), rule.get("onJobFailureMessagePatterns")
    targets = rule.get("targetReplicatedJobs")
    if reasons and end.get("reason") not in reasons:
        return False
    if texts and not any(_matches(pattern, end.get("message") or "") for pattern in texts):
        return False
    return not targets or meta.labels(job).get(names.REPLICATED_JOB) in targets


def _matches(pattern: str, message: str) -> bool:
    """In RE2 or not at all: without it the API takes no patterns, and what is there already must hold nobody up."""
    if not patterns.LINEAR:
        return False
    try:
        return patterns.compiled(pattern).search(message[:_LONGEST_MESSAGE]) is not None
    except ValueError:
        return False


def _when(job: Object) -> tuple[str, str]:
    end = conditions.find(job, "Failed") or {}
    return str(end.get("lastTransitionTime") or ""), meta.name(job)


def _text(what: str, job: Object) -> str:
    return f"{what} (first failed job: {meta.name(job)})"


def _counted(status: Object) -> int:
    """Restarts that maxRestarts limits: of the JobSet, and of single Jobs."""
    alone = (
        int(count)
        for item in status.get("replicatedJobsStatus") or ()
        for count in item.get("jobRestartsCountTowardsMax") or ()
    )
    return int(status.get("restartsCountTowardsMax") or 0) + sum(alone)


def _restart_all(report: Report, rule: Object | None, counts: bool, message: str) -> None:
    report.status["restarts"] = int(report.status.get("restarts") or 0) + 1
    if counts:
        report.status["restartsCountTowardsMax"] = int(report.status.get("restartsCountTowardsMax") or 0) + 1
    reason = f"FailurePolicy_{rule['name']}" if rule else "DefaultFailurePolicy"
    report.say("RestartingJobSet", True, reason, message, warning=True)


def _restart_one(jobset: Object, job: Object, report: Report, counts: bool) -> None:
    parent, index = meta.labels(job)[names.REPLICATED_JOB], int(meta.labels(job)[names.JOB_INDEX])
    replicated = next(each for each in jobset["spec"]["replicatedJobs"] if each["name"] == parent)
    status = next(item for item in report.status["replicatedJobsStatus"] if item["name"] == parent)
    for field in ("jobRestarts", *(["jobRestartsCountTowardsMax"] if counts else [])):
        so_far = [*(status.get(field) or ()), *[0] * runs.replicas(replicated)][: runs.replicas(replicated)]
        so_far[index] += 1
        status[field] = so_far
