"""What is wrong with a JobSet beyond its schema, in the words of upstream's webhook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from fairway.cluster.api.checks import causes
from fairway.kernel.objects import names, patterns
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_EXCLUSIVE = "alpha.jobset.sigs.k8s.io/exclusive-topology"
_MOST_PODS = 2**31 - 1
_MOST_RESTARTED_ALONE = 1024
_LONGEST_MANAGER = 63
_REASONS = ("BackoffLimitExceeded", "DeadlineExceeded", "FailedIndexes", "MaxFailedIndexesExceeded", "PodFailurePolicy")
_RULE_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_NAME_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_IMMUTABLE_ONCE_SET = ("network", "successPolicy", "failurePolicy", "startupPolicy", "volumeClaimPolicies")
_FOR_QUEUES = ("nodeSelector", "tolerations", "schedulingGates")
_JOBS = "spec.replicatedJobs"


def problems(obj: Object) -> Iterator[Cause]:
    spec, name = obj["spec"], str(obj["metadata"].get("name") or "")
    replicated = causes.items(spec, "replicatedJobs")
    known = {str(each.get("name")) for _, each in replicated}
    if replicated and replicated[0][1].get("dependsOn"):
        yield Cause(f"{_JOBS}[0].dependsOn", "DependsOn can't be set for the first ReplicatedJob")
    if subdomain := (spec.get("network") or {}).get("subdomain"):
        too_long = ".spec.network.subdomain is too long, must be less than 63 characters"
        yield from _label("spec.network.subdomain", subdomain, subdomain, too_long)
    yield from _manager(spec)
    before: set[str] = set()
    for index, each in replicated:
        before.add(str(each.get("name")))
        yield from _replicated(name, each, f"{_JOBS}[{index}]", before)
        yield from _exclusive(each["template"], f"{_JOBS}[{index}].template.metadata.annotations")
    yield from _exclusive(obj, "metadata.annotations")
    for target in (spec.get("successPolicy") or {}).get("targetReplicatedJobs") or ():
        if target not in known:
            text = f"invalid replicatedJob name '{target}' does not appear in .spec.ReplicatedJobs"
            yield Cause("spec.successPolicy.targetReplicatedJobs", text)
    yield from _failure_policy(spec, known)
    yield from _coordinator(spec, name)
    yield from _claims(spec, name)


def change_problems(new: Object, old: Object) -> Iterator[Cause]:
    before, after = old.get("spec") or {}, new["spec"]
    for field in _IMMUTABLE_ONCE_SET:
        if before.get(field) is not None and after.get(field) is not None and before[field] != after[field]:
            kind = "array" if isinstance(after[field], list) else "object"
            yield Cause(f"spec.{field}", f'Invalid value: "{kind}": Value is immutable')
    waits = bool(before.get("suspend") or after.get("suspend"))
    if _fixed(before, waits) != _fixed(after, waits):
        yield causes.invalid(_JOBS, after.get("replicatedJobs"), causes.IMMUTABLE)
    if before.get("managedBy") != after.get("managedBy"):
        yield causes.invalid("spec.managedBy", after.get("managedBy"), causes.IMMUTABLE)


def _fixed(spec: Object, waits: bool) -> list[Object]:
    """The Jobs without what a queue may still change while they wait."""
    found = []
    for _, each in causes.items(spec, "replicatedJobs"):
        job = each["template"].get("spec") or {}
        pod = job.get("template") or {}
        if waits:
            places = {key: value for key, value in (pod.get("spec") or {}).items() if key not in _FOR_QUEUES}
            pod = {"metadata": _without(pod.get("metadata"), "labels", "annotations"), "spec": places}
        found.append({**each, "template": {**each["template"], "spec": {**job, "template": pod}}})
    return found


def _without(metadata: Object | None, *parts: str) -> Object:
    return {key: value for key, value in (metadata or {}).items() if key not in parts}


def _replicated(jobset: str, each: Object, at: str, before: set[str]) -> Iterator[Cause]:
    job, replicas = each["template"]["spec"], int(each.get("replicas", 1))
    if int(job.get("parallelism", 1)) * replicas > _MOST_PODS:
        text = (
            f"the product of replicas and parallelism must not exceed {_MOST_PODS} for replicatedJob '{each['name']}'"
        )
        yield Cause(f"{at}.replicas", text)
    too_long = ".spec.replicatedJob[].groupName is too long, must be less than 63 characters"
    yield from _label(f"{at}.groupName", each.get("groupName", "default"), each.get("groupName", "default"), too_long)
    longest = f"{jobset}-{each['name']}-{replicas - 1}"
    too_long = "JobSet name is too long, {} names generated for this JobSet will exceed 63 characters"
    yield from _label(f"{at}.name", longest, longest, too_long.format("job"))
    if job.get("completionMode") == "Indexed" and job.get("completions") is not None:
        pod = f"{longest}-{int(job['completions']) - 1}-abcde"
        yield from _label(f"{at}.name", longest, pod, too_long.format("pod"))
    for dependency in each.get("dependsOn") or ():
        if dependency["name"] not in before:
            text = f"replicatedJob: {each['name']} cannot depend on replicatedJob: {dependency['name']}"
            yield Cause(f"{at}.dependsOn", text)


def _label(at: str, shown: str, text: str, too_long: str) -> Iterator[Cause]:
    if len(text) > 63:
        yield causes.invalid(at, shown, too_long)
    elif not _NAME.fullmatch(text):
        yield causes.invalid(at, shown, _NAME_TEXT)


def _manager(spec: Object) -> Iterator[Cause]:
    manager = spec.get("managedBy")
    if manager is None:
        return
    domain, _, path = manager.partition("/")
    if not path or not names.dns_subdomain(domain):
        yield causes.invalid("spec.managedBy", manager, 'must be a domain-prefixed path (such as "acme.io/foo")')
    if len(manager) > _LONGEST_MANAGER:
        yield Cause("spec.managedBy", f"Too long: may not be more than {_LONGEST_MANAGER} bytes", "FieldValueTooLong")


def _exclusive(obj: Object, at: str) -> Iterator[Cause]:
    if _EXCLUSIVE in ((obj.get("metadata") or {}).get("annotations") or {}):
        text = "this cluster does not place Jobs exclusively by topology: remove the annotation"
        yield causes.forbidden(f"{at}[{_EXCLUSIVE}]", text)


# Failure policy


def _failure_policy(spec: Object, known: set[str]) -> Iterator[Cause]:
    policy = spec.get("failurePolicy")
    if not policy:
        return
    at = "spec.failurePolicy"
    if policy.get("restartStrategy") == "InPlaceRestart":
        text = "InPlaceRestart restart strategy cannot be set when InPlaceRestart feature gate is disabled"
        yield causes.forbidden(f"{at}.restartStrategy", text)
    rules = policy.get("rules") or []
    alone = any(rule["action"] in ("RestartJob", "RestartJobAndIgnoreMaxRestarts") for rule in rules)
    many = any(int(each.get("replicas", 1)) > _MOST_RESTARTED_ALONE for _, each in causes.items(spec, "replicatedJobs"))
    if alone and many:
        text = (
            "JobSet cannot have a failure policy rule with RestartJob or RestartJobAndIgnoreMaxRestarts action and a "
            f"replicated job with replicas > {_MOST_RESTARTED_ALONE}"
        )
        yield Cause(f"{at}.rules", text)
    for index, rule in enumerate(rules):
        yield from _rule(rule, f"{at}.rules[{index}]", known)
    yield from _unique([rule["name"] for rule in rules], f"{at}.rules")


def _rule(rule: Object, at: str, known: set[str]) -> Iterator[Cause]:
    name = rule["name"]
    if not 1 <= len(name) <= 128:
        text = (
            f"invalid failure policy rule name of length {len(name)}, the rule name must be at least 1 characters long "
            "and at most 128 characters long"
        )
        yield Cause(f"{at}.name", text)
    if not _RULE_NAME.fullmatch(name):
        text = (
            f"invalid failure policy rule name '{name}', a failure policy rule name must start with an alphabetic "
            "character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an "
            "alphanumeric character or '_'"
        )
        yield Cause(f"{at}.name", text)
    for target in rule.get("targetReplicatedJobs") or ():
        if target not in known:
            text = f"invalid replicatedJob name '{target}' in failure policy does not appear in .spec.ReplicatedJobs"
            yield Cause(f"{at}.targetReplicatedJobs", text)
    for reason in rule.get("onJobFailureReasons") or ():
        if reason not in _REASONS:
            text = f"invalid job failure reason '{reason}' in failure policy is not a recognized job failure reason"
            yield Cause(f"{at}.onJobFailureReasons", text)
    for number, pattern in enumerate(rule.get("onJobFailureMessagePatterns") or ()):
        yield from _pattern(pattern, f"{at}.onJobFailureMessagePatterns[{number}]")


def _pattern(pattern: str, at: str) -> Iterator[Cause]:
    if not patterns.LINEAR:
        text = "this server has no engine for regular expressions: install the package google-re2, or use reasons"
        yield causes.forbidden(at, text)
        return
    try:
        patterns.compiled(pattern)
    except ValueError as problem:
        yield Cause(at, f"invalid job failure message pattern '{pattern}': {problem}")


def _unique(given: list[str], at: str) -> Iterator[Cause]:
    found: dict[str, list[str]] = {}
    for index, name in enumerate(given):
        found.setdefault(name, []).append(str(index))
    for name, places in found.items():
        if len(places) > 1:
            text = f"rule names are not unique, rules with indices [{' '.join(places)}] all have the same name '{name}'"
            yield Cause(at, text)


# Coordinator, claims


def _coordinator(spec: Object, jobset: str) -> Iterator[Cause]:
    chosen = spec.get("coordinator")
    if not chosen:
        return
    at, name = "spec.coordinator", chosen["replicatedJob"]
    job, pod = int(chosen.get("jobIndex") or 0), int(chosen.get("podIndex") or 0)
    each = next((item for _, item in causes.items(spec, "replicatedJobs") if item["name"] == name), None)
    if each is None:
        yield Cause(f"{at}.replicatedJob", f"coordinator replicatedJob {name} does not exist")
        return
    template = each["template"]["spec"]
    if not 0 <= job < int(each.get("replicas", 1)):
        yield Cause(f"{at}.jobIndex", f"coordinator job index {job} is invalid for replicatedJob {name}")
    elif template.get("completionMode") != "Indexed" or template.get("completions") is None:
        text = "job for coordinator pod must be indexed completion mode, and completions number must be set"
        yield Cause(f"{at}.replicatedJob", text)
    elif not 0 <= pod < int(template["completions"]):
        text = f"coordinator pod index {pod} is invalid for replicatedJob {name} job index {job}"
        yield Cause(f"{at}.podIndex", text)
    endpoint = f"{jobset}-{name}-{job}-{pod}.{(spec.get('network') or {}).get('subdomain') or jobset}"
    if len(endpoint) > 63 or not _LABEL.fullmatch(endpoint):
        text = (
            f'spec will lead to invalid label value "{endpoint}" for coordinator label '
            '"jobset.sigs.k8s.io/coordinator" (long JobSet / ReplicatedJob / SubDomain name?)'
        )
        yield Cause(at, text)


def _claims(spec: Object, jobset: str) -> Iterator[Cause]:
    seen: set[Any] = set()
    for number, policy in causes.items(spec, "volumeClaimPolicies"):
        for index, template in causes.items(policy, "templates"):
            at = f"spec.volumeClaimPolicies[{number}].template[{index}].name"
            name = (template.get("metadata") or {}).get("name")
            if not isinstance(name, str) or not names.dns_subdomain(name):
                text = "a lowercase RFC 1123 subdomain is required"
                yield causes.invalid(at, name, text)
                continue
            if name in seen:
                yield causes.invalid(at, name, "names must be unique for VolumeClaimPolicies template")
            seen.add(name)
            if len(f"{name}-{jobset}") > 63:
                yield causes.invalid(at, name, "VolumeClaimPolicies template name is too long")
            yield from _mounts(spec, name)


def _mounts(spec: Object, claim: str) -> Iterator[Cause]:
    mounted = False
    for number, each in causes.items(spec, "replicatedJobs"):
        pod = (each["template"]["spec"].get("template") or {}).get("spec") or {}
        for index, volume in causes.items(pod, "volumes"):
            if volume.get("name") == claim:
                at = f"{_JOBS}[{number}].template.spec.template.spec.volumes[{index}].name"
                yield causes.invalid(at, claim, f"volume name conflicts with VolumeClaimPolicy template name: {claim}")
        mounted = mounted or claim in _mount_names(pod)
    if not mounted:
        text = f"replicatedJob containers don't have a matching volumeMount: {claim} from VolumeClaimPolicies"
        yield Cause(_JOBS, text)


def _mount_names(pod: Object) -> Iterable[Any]:
    return {
        mount.get("name")
        for part in ("initContainers", "containers")
        for _, container in causes.items(pod, part)
        for _, mount in causes.items(container, "volumeMounts")
    }
