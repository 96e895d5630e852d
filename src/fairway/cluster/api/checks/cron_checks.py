"""What is wrong with a CronJob beyond its schema, in upstream's words."""

from __future__ import annotations

from collections.abc import Iterator

from fairway.cluster.api.checks import causes, job_checks
from fairway.kernel import cron
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_LONGEST_NAME = 52  # a Job's name has eleven characters more


def cron_job(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    name = obj["metadata"].get("name") or ""
    if len(name) > _LONGEST_NAME:
        yield causes.invalid("metadata.name", name, f"must be no more than {_LONGEST_NAME} characters")
    yield from _schedule(spec)
    policies = ("Allow", "Forbid", "Replace")
    if spec.get("concurrencyPolicy") not in policies:
        yield causes.unsupported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), *policies)
    for field in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        yield from job_checks.not_negative(spec, field, "spec")
    yield from job_checks.job_spec((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")


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
        except cron.NeverComes:
            pass  # upstream takes it, and its controller says so
        except cron.WrongCron as wrong:
            yield causes.invalid("spec.schedule", schedule, str(wrong))
    zone = spec.get("timeZone")
    if zone is not None:
        try:
            cron.zone(zone)
        except cron.WrongCron as wrong:
            yield causes.invalid("spec.timeZone", zone, str(wrong))
