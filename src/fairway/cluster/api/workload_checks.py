"""What is wrong with a kind that makes pods: Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob."""

from __future__ import annotations

from collections.abc import Iterator

from fairway.cluster.api import causes, pod_checks
from fairway.kernel import cron
from fairway.kernel.objects import selectors
from fairway.kernel.objects.errors import ApiError, Cause
from fairway.kernel.objects.kinds import Object

_CHANGEABLE_IN_SETS = {
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "minReadySeconds",
    "persistentVolumeClaimRetentionPolicy",
}  # fmt: skip
_LONGEST_CRON_NAME = 52  # a Job's name has eleven characters more


def workload(obj: Object) -> Iterator[Cause]:
    """Whatever keeps pods running: a selector that takes the template's pods."""
    spec = obj.get("spec") or {}
    replicas = spec.get("replicas")
    if isinstance(replicas, int) and replicas < 0:
        yield causes.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
    template = spec.get("template")
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        yield causes.required("spec.template.spec.containers")
        return
    yield from _selector(spec, template)
    yield from pod_checks.pod_spec(template["spec"], "spec.template.spec")
    if template["spec"].get("restartPolicy") != "Always":
        yield causes.unsupported("spec.template.spec.restartPolicy", template["spec"].get("restartPolicy"), "Always")


def _selector(spec: Object, template: Object) -> Iterator[Cause]:
    selector = spec.get("selector")
    if not selector:
        yield causes.required("spec.selector")
        return
    labels = (template.get("metadata") or {}).get("labels") or {}
    try:
        fits = selectors.of(selector)(labels)
    except (ApiError, KeyError, TypeError, AttributeError) as problem:
        yield causes.invalid("spec.selector", selector, str(problem))
        return
    if not fits:
        text = "`selector` does not match template `labels`"
        yield causes.invalid("spec.template.metadata.labels", labels, text)


def replication_controller(obj: Object) -> Iterator[Cause]:
    """The oldest of them: what it selects is a plain map."""
    spec = obj.get("spec") or {}
    yield from workload({**obj, "spec": {**spec, "selector": selectors.widened(spec.get("selector"))}})


def pod_template(obj: Object) -> Iterator[Cause]:
    spec = (obj.get("template") or {}).get("spec")
    yield from pod_checks.pod_spec(spec if isinstance(spec, dict) else {}, "template.spec")


def workload_change(new: Object, old: Object) -> Iterator[Cause]:
    yield from unchanged(new, old, "selector")


def unchanged(new: Object, old: Object, *fields: str) -> Iterator[Cause]:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    for field in fields:
        if after.get(field) != before.get(field):
            yield causes.invalid(f"spec.{field}", after.get(field), causes.IMMUTABLE)


def stateful_set(obj: Object) -> Iterator[Cause]:
    yield from workload(obj)
    spec = obj.get("spec") or {}
    yield from _one_of(spec, "podManagementPolicy", "OrderedReady", "Parallel")
    yield from _update_strategy(spec)
    names = [(template.get("metadata") or {}).get("name") for _, template in causes.items(spec, "volumeClaimTemplates")]
    for index, name in enumerate(names):
        if not name:
            yield causes.required(f"spec.volumeClaimTemplates[{index}].metadata.name")


def stateful_set_change(new: Object, old: Object) -> Iterator[Cause]:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if any(after.get(field) != before.get(field) for field in {*before, *after} - _CHANGEABLE_IN_SETS):
        text = (
            "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
            "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
            "are forbidden"
        )
        yield Cause("spec", text, "FieldValueForbidden")


def daemon_set(obj: Object) -> Iterator[Cause]:
    yield from workload(obj)
    spec = obj.get("spec") or {}
    yield from _update_strategy(spec)
    surge = ((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("maxSurge")
    if surge not in (None, 0, "0", "0%"):
        text = "this server takes a node's old pod away before the new one comes: set it to 0"
        yield causes.invalid("spec.updateStrategy.rollingUpdate.maxSurge", surge, text)


def _update_strategy(spec: Object) -> Iterator[Cause]:
    type_ = (spec.get("updateStrategy") or {}).get("type")
    if type_ not in ("RollingUpdate", "OnDelete"):
        yield causes.invalid("spec.updateStrategy", type_, "must be 'RollingUpdate' or 'OnDelete'")


def _one_of(spec: Object, field: str, *allowed: str) -> Iterator[Cause]:
    if spec.get(field) not in allowed:
        yield causes.unsupported(f"spec.{field}", spec.get(field), *allowed)


def job(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    for field in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        value = spec.get(field)
        if isinstance(value, int) and value < 0:
            yield causes.invalid(f"spec.{field}", value, "must be greater than or equal to 0")
    if spec.get("completionMode") not in ("NonIndexed", "Indexed"):
        yield causes.unsupported("spec.completionMode", spec.get("completionMode"), "Indexed", "NonIndexed")
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        yield causes.required("spec.completions", "when completion mode is Indexed")
    template = spec.get("template")
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        yield causes.required("spec.template.spec.containers")
        return
    yield from _selector(spec, template)
    yield from pod_checks.pod_spec(template["spec"], "spec.template.spec")
    if template["spec"].get("restartPolicy") not in ("OnFailure", "Never"):
        yield causes.unsupported(
            "spec.template.spec.restartPolicy", template["spec"].get("restartPolicy"), "OnFailure", "Never"
        )


def job_change(new: Object, old: Object) -> Iterator[Cause]:
    yield from unchanged(new, old, "completions", "selector", "completionMode")
    before, after = old["spec"], new["spec"]
    # A job that waits (suspended, never started) may still be told where to run: queues do that.
    started = (old.get("status") or {}).get("startTime")
    if after.get("template") != before.get("template") and not (before.get("suspend") and not started):
        yield causes.invalid("spec.template", after.get("template"), causes.IMMUTABLE)


def cron_job(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    name = obj["metadata"].get("name") or ""
    if len(name) > _LONGEST_CRON_NAME:
        yield causes.invalid("metadata.name", name, f"must be no more than {_LONGEST_CRON_NAME} characters")
    yield from _schedule(spec)
    policies = ("Allow", "Forbid", "Replace")
    if spec.get("concurrencyPolicy") not in policies:
        yield causes.unsupported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), *policies)
    for field in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        value = spec.get(field)
        if isinstance(value, int) and value < 0:
            yield causes.invalid(f"spec.{field}", value, "must be greater than or equal to 0")
    template = ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template") or {}
    path = "spec.jobTemplate.spec.template.spec"
    if not isinstance(template.get("spec"), dict):
        yield causes.required(f"{path}.containers")
        return
    yield from pod_checks.pod_spec(template["spec"], path)
    if template["spec"].get("restartPolicy") not in ("OnFailure", "Never"):
        policy = template["spec"].get("restartPolicy")
        yield causes.unsupported(f"{path}.restartPolicy", policy, "OnFailure", "Never")


def _schedule(spec: Object) -> Iterator[Cause]:
    schedule = spec.get("schedule") or ""
    if not schedule:
        yield causes.required("spec.schedule")
    elif "TZ" in schedule:
        text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        yield causes.invalid("spec.schedule", schedule, text)
    elif not schedule.startswith("@") and len(schedule.split()) != 5:
        text = f"expected exactly 5 fields, found {len(schedule.split())}: {' '.join(schedule.split())}"
        yield causes.invalid("spec.schedule", schedule, text)
    else:
        try:
            if not cron.every(schedule):
                cron.Cron(schedule, cron.zone("UTC"))
        except cron.WrongCron as wrong:
            yield causes.invalid("spec.schedule", schedule, str(wrong))
    zone = spec.get("timeZone")
    if zone is not None:
        try:
            cron.zone(zone)
        except cron.WrongCron as wrong:
            yield causes.invalid("spec.timeZone", zone, str(wrong))
