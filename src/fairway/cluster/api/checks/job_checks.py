"""What is wrong with a Job beyond its schema, in upstream's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairway.cluster.api.checks import causes, pod_checks
from fairway.cluster.api.checks.workload_checks import selector_of, unchanged
from fairway.kernel.objects import names
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_MOST_RULES, _MOST_PATTERNS, _MOST_CODES = 20, 20, 255
_MOST_INDEXES, _MANY_INDEXES = 100_000, 100_000
_LONGEST_INDEX_LIST = 64 * 1024
_LONGEST_MANAGER = 63
_NEED_INDEXES = "requires indexed completion mode"
_NOT_NEGATIVE = "must be greater than or equal to 0"
_IMMUTABLE = (
    "selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy",
)  # fmt: skip
_FOR_QUEUES = ("nodeSelector", "tolerations", "affinity", "schedulingGates")


def job(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    template = spec.get("template")
    yield from job_spec(spec, "spec")
    completions = spec.get("completions")
    if spec.get("completionMode") == "Indexed" and isinstance(completions, int) and completions > 0:
        name = str(obj["metadata"].get("name") or "")
        hostname = f"{name}-{completions - 1}"
        if not names.dns_label(hostname):
            yield causes.invalid(
                "metadata.name", name, f"will not able to create pod with invalid DNS label: {hostname}"
            )
    if isinstance(template, dict) and isinstance(template.get("spec"), dict):
        yield from selector_of(spec, template)


def job_change(new: Object, old: Object) -> Iterator[Cause]:
    before, after = old["spec"], new["spec"]
    yield from _completions_change(before, after)
    yield from unchanged(new, old, *_IMMUTABLE)
    given, wanted = before.get("template"), after.get("template")
    if given != wanted and not (_waits(old) and _without_places(given) == _without_places(wanted)):
        yield causes.invalid("spec.template", wanted, causes.IMMUTABLE)


def job_spec(spec: Object, at: str) -> Iterator[Cause]:
    """Of a Job, or of the template of one."""
    for field in (
        "parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished",
        "backoffLimitPerIndex", "maxFailedIndexes",
    ):  # fmt: skip
        yield from not_negative(spec, field, at)
    yield from _indexes(spec, at)
    yield from _manager(spec, at)
    template = spec.get("template")
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        yield causes.required(f"{at}.template.spec.containers")
        return
    pod = template["spec"]
    yield from pod_checks.pod_spec(pod, f"{at}.template.spec")
    policy = pod.get("restartPolicy")
    if policy not in ("OnFailure", "Never"):
        if policy == "Always":  # which is what it is where nobody says it
            yield causes.required(f"{at}.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"')
        else:
            yield causes.unsupported(f"{at}.template.spec.restartPolicy", policy, "OnFailure", "Never")
    yield from _failure_policy(spec, pod, at)
    yield from _success_policy(spec, at)


# Indexes


def _indexes(spec: Object, at: str) -> Iterator[Cause]:
    mode = spec.get("completionMode")
    if mode not in (None, "NonIndexed", "Indexed"):
        yield causes.unsupported(f"{at}.completionMode", mode, "Indexed", "NonIndexed")
    if mode != "Indexed":
        for field in ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"):
            if spec.get(field) is not None:
                yield causes.invalid(f"{at}.{field}", spec[field], _NEED_INDEXES)
        return
    completions, parallelism = spec.get("completions"), spec.get("parallelism")
    if completions is None:
        yield causes.required(f"{at}.completions", "when completion mode is Indexed")
    if isinstance(parallelism, int) and parallelism > _MOST_INDEXES:
        text = f"must be less than or equal to {_MOST_INDEXES} when completion mode is Indexed"
        yield causes.invalid(f"{at}.parallelism", parallelism, text)
    most = spec.get("maxFailedIndexes")
    if spec.get("backoffLimitPerIndex") is None:
        if most is not None:
            yield causes.required(f"{at}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    elif isinstance(completions, int) and completions > _MANY_INDEXES and most is None:
        text = f"must be specified when completions is above {_MANY_INDEXES}"
        yield causes.required(f"{at}.maxFailedIndexes", text)
    if isinstance(most, int) and isinstance(completions, int) and most > completions:
        yield causes.invalid(f"{at}.maxFailedIndexes", most, "must be less than or equal to completions")


def _completions_change(before: Object, after: Object) -> Iterator[Cause]:
    wanted = after.get("completions")
    if wanted == before.get("completions"):
        return
    if after.get("completionMode") != "Indexed":
        yield causes.invalid("spec.completions", wanted, causes.IMMUTABLE)
    elif wanted is not None and wanted != after.get("parallelism"):
        yield causes.invalid("spec.completions", wanted, "can only be modified in tandem with spec.parallelism")


# Policies


def _failure_policy(spec: Object, pod: Object, at: str) -> Iterator[Cause]:
    policy = spec.get("podFailurePolicy")
    replacement = spec.get("podReplacementPolicy")
    allowed = ("Failed",) if policy is not None else ("Failed", "TerminatingOrFailed")
    if replacement is not None and replacement not in allowed:
        yield causes.unsupported(f"{at}.podReplacementPolicy", replacement, *allowed)
    if policy is None:
        return
    if pod.get("restartPolicy") != "Never":
        text = 'only "Never" is supported when podFailurePolicy is specified'
        yield causes.invalid(f"{at}.template.spec.restartPolicy", pod.get("restartPolicy"), text)
    rules = causes.items(policy, "rules")
    yield from _too_many(rules, f"{at}.podFailurePolicy.rules", _MOST_RULES)
    containers = {
        container.get("name") for part in ("containers", "initContainers") for _, container in causes.items(pod, part)
    }
    for index, rule in rules:
        yield from _failure_rule(rule, f"{at}.podFailurePolicy.rules[{index}]", spec, containers)


def _failure_rule(rule: Object, at: str, spec: Object, containers: set[Any]) -> Iterator[Cause]:
    yield from _word(rule, "action", at, "Count", "FailIndex", "FailJob", "Ignore")
    if rule.get("action") == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        yield causes.invalid(f"{at}.action", "FailIndex", "requires the backoffLimitPerIndex to be set")
    codes, patterns = rule.get("onExitCodes"), causes.items(rule, "onPodConditions")
    if isinstance(codes, dict):
        yield from _exit_codes(codes, f"{at}.onExitCodes", containers)
    yield from _too_many(patterns, f"{at}.onPodConditions", _MOST_PATTERNS)
    for index, pattern in patterns:
        yield from _word(pattern, "status", f"{at}.onPodConditions[{index}]", "False", "True", "Unknown")
    if codes is not None and patterns:
        yield Cause(at, "Invalid value: specifying both OnExitCodes and OnPodConditions is not supported")
    if codes is None and not patterns:
        yield Cause(at, "Invalid value: specifying one of OnExitCodes and OnPodConditions is required")


def _exit_codes(codes: Object, at: str, containers: set[Any]) -> Iterator[Cause]:
    yield from _word(codes, "operator", at, "In", "NotIn")
    name = codes.get("containerName")
    if name is not None and name not in containers:
        text = "must be one of the container or initContainer names in the pod template"
        yield causes.invalid(f"{at}.containerName", name, text)
    values = codes.get("values") or []
    if not values:
        yield causes.invalid(f"{at}.values", values, "at least one value is required")
    if len(values) > _MOST_CODES:
        yield from _too_many(values, f"{at}.values", _MOST_CODES)
        return
    for index, value in enumerate(values):
        if codes.get("operator") == "In" and value == 0:
            yield causes.invalid(f"{at}.values[{index}]", 0, "must not be 0 for the In operator")
        if value in values[:index]:
            yield causes.duplicate(f"{at}.values[{index}]", value)
    if values != sorted(values):
        yield causes.invalid(f"{at}.values", values, "must be ordered")


def _success_policy(spec: Object, at: str) -> Iterator[Cause]:
    policy = spec.get("successPolicy")
    if policy is None or spec.get("completionMode") != "Indexed":
        return
    at = f"{at}.successPolicy.rules"
    rules = causes.items(policy, "rules")
    if not rules:
        yield causes.required(at, "at least one rules must be specified when the successPolicy is specified")
    yield from _too_many(rules, at, _MOST_RULES)
    for index, rule in rules:
        yield from _success_rule(rule, f"{at}[{index}]", int(spec.get("completions") or 0))


def _success_rule(rule: Object, at: str, completions: int) -> Iterator[Cause]:
    count, listed = rule.get("succeededCount"), rule.get("succeededIndexes")
    if count is None and listed is None:
        text = "at least one of succeededCount or succeededIndexes must be specified"
        yield causes.required(at, text)
    named = None
    if listed is not None:
        if len(listed) > _LONGEST_INDEX_LIST:
            yield Cause(f"{at}.succeededIndexes", f"Too long: may not be more than {_LONGEST_INDEX_LIST} bytes")
        try:
            named = _listed(listed, completions)
        except ValueError as wrong:
            text = f"error parsing succeededIndexes: {wrong}"
            yield causes.invalid(f"{at}.succeededIndexes", listed, text)
    if not isinstance(count, int):
        return
    yield from not_negative(rule, "succeededCount", at)
    if count > completions:
        text = f"must be less than or equal to {completions} (the number of specified completions)"
        yield causes.invalid(f"{at}.succeededCount", count, text)
    if named is not None and count > named:
        text = f"must be less than or equal to {named} (the number of indexes in the specified succeededIndexes field)"
        yield causes.invalid(f"{at}.succeededCount", count, text)


def _listed(text: str, completions: int) -> int:
    """How many indexes a list such as 0-2,5 names. Raises ValueError where it is none."""
    total, last = 0, -1
    for run in text.split(","):
        ends = run.split("-")
        if len(ends) > 2:
            raise ValueError(
                f'the fragment "{run}" violates the requirement that an index interval can have at most '
                "two parts separated by '-'"
            )
        numbers = []
        for end in ends:
            if not end.isdecimal():
                raise ValueError(f'cannot convert string to integer for index: "{end}"')
            numbers.append(int(end))
            if numbers[-1] >= completions:
                raise ValueError(f'too large index: "{end}"')
        if numbers[0] <= last:
            raise ValueError(f"non-increasing order, previous: {last}, current: {numbers[0]}")
        if len(numbers) == 2 and numbers[1] <= numbers[0]:
            raise ValueError(f"non-increasing order, previous: {numbers[0]}, current: {numbers[1]}")
        last = numbers[-1]
        total += numbers[-1] - numbers[0] + 1
    return total


def _manager(spec: Object, at: str) -> Iterator[Cause]:
    manager = spec.get("managedBy")
    if manager is None:
        return
    domain, _, path = str(manager).partition("/")
    if not domain or not path:
        text = 'must be a domain-prefixed path (such as "acme.io/foo")'
        yield causes.invalid(f"{at}.managedBy", manager, text)
    if len(manager) > _LONGEST_MANAGER:
        yield Cause(f"{at}.managedBy", f"Too long: may not be more than {_LONGEST_MANAGER} bytes", "FieldValueTooLong")


def _word(parent: Object, field: str, at: str, *allowed: str) -> Iterator[Cause]:
    value = parent.get(field)
    if not value:
        yield causes.required(f"{at}.{field}", "valid values: " + ", ".join(f'"{word}"' for word in allowed))
    elif value not in allowed:
        yield causes.unsupported(f"{at}.{field}", value, *allowed)


def _too_many(values: list[Any], at: str, most: int) -> Iterator[Cause]:
    if len(values) > most:
        yield Cause(at, f"Too many: {len(values)}: must have at most {most} items", "FieldValueTooMany")


def not_negative(parent: Object, field: str, at: str) -> Iterator[Cause]:
    value = parent.get(field)
    if isinstance(value, int) and value < 0:
        yield causes.invalid(f"{at}.{field}", value, _NOT_NEGATIVE)


# What a queue may still change


def _waits(job: Object) -> bool:
    """Suspended, and nothing of it runs: a job that waits may still be told where to run; queues do that."""
    status = job.get("status") or {}
    stopped = any(item["type"] == "Suspended" and item["status"] == "True" for item in status.get("conditions") or ())
    idle = not status.get("active") and not status.get("terminating")
    return bool(job["spec"].get("suspend")) and idle and (stopped or not status.get("startTime"))


def _without_places(template: Any) -> Any:
    """The template without what says where its pods go and what they ask for."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    kept: Object = {key: value for key, value in spec.items() if key not in _FOR_QUEUES}
    for part in ("containers", "initContainers"):
        kept[part] = [{**container, "resources": None} for container in spec.get(part) or ()]
    return {key: value for key, value in metadata.items() if key not in ("labels", "annotations")}, kept
