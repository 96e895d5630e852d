"""JobSet: what upstream's webhooks complete and judge when one is written; the rest is its schema's part.

Templates of Jobs are held to the schema of Job, which the definition does not repeat.
"""

from __future__ import annotations

import copy

from fairway.cluster.api import shaping
from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.checks import causes, jobset_checks
from fairway.cluster.api.documents import builtin_schemas
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import JOB, JOB_SET, Object

_DEFAULTS: Object = {
    "successPolicy": {"operator": "All"},
    "startupPolicy": {"startupPolicyOrder": "AnyOrder"},
    "network": {},
}
_NETWORK = {"enableDNSHostnames": True, "publishNotReadyAddresses": True}


class JobSets(Step):
    resources = (JOB_SET.resource,)

    def wants(self, request: Request) -> bool:
        return request.operation in ("CREATE", "UPDATE") and not request.subresource

    async def mutate(self, request: Request) -> None:
        spec = request.object.get("spec")
        if not isinstance(spec, dict):
            return
        _prune(request, spec)
        if request.operation == "CREATE":
            _complete(spec)
        _complete_items(spec)

    async def validate(self, request: Request) -> None:
        found = [*_shapes(request.object)]
        if not found and request.operation == "CREATE":
            found = [*jobset_checks.problems(request.object)]
        elif not found:
            found = [*jobset_checks.change_problems(request.object, request.old)]
        shaping.refuse(request.call, request.object, found)


def _complete(spec: Object) -> None:
    for field, value in _DEFAULTS.items():
        if spec.get(field) is None:
            spec[field] = copy.deepcopy(value)
    if isinstance(spec["network"], dict):
        spec["network"] = {**_NETWORK, **{key: value for key, value in spec["network"].items() if value is not None}}


def _complete_items(spec: Object) -> None:
    """What is in lists, with each write; upstream does it at the first only. Who applies a manifest again sends its
    lists whole, and they may not differ from what they were."""
    if isinstance(policy := spec.get("failurePolicy"), dict):
        for index, rule in causes.items(policy, "rules"):
            rule["name"] = rule.get("name") or f"failurePolicyRule{index}"
    for _, claims in causes.items(spec, "volumeClaimPolicies"):
        if claims.get("retentionPolicy") is None:
            claims["retentionPolicy"] = {"whenDeleted": "Delete"}
    for _, replicated in causes.items(spec, "replicatedJobs"):
        if isinstance(job := _job_spec(replicated), dict):
            job.setdefault("completionMode", "Indexed")
            pod = (job.get("template") or {}).get("spec")
            if isinstance(pod, dict) and not pod.get("restartPolicy"):
                pod["restartPolicy"] = "OnFailure"


def _prune(request: Request, spec: Object) -> None:
    """Take what no Job has out of the templates; refuse it or warn of it as the client chose."""
    schema = builtin_schemas.of(JOB)
    part = schema.field("spec") if schema else None
    if part is None:
        return
    unknown = [
        f"spec.replicatedJobs[{index}].template.spec.{path}"
        for index, replicated in causes.items(spec, "replicatedJobs")
        for path in part.prune(_job_spec(replicated))
    ]
    shaping.report(request.call, unknown)


def _shapes(jobset: Object) -> list[Cause]:
    schema = builtin_schemas.of(JOB)
    part = schema.field("spec") if schema else None
    found: list[Cause] = []
    for index, replicated in causes.items(jobset["spec"], "replicatedJobs"):
        at = ("spec", "replicatedJobs", index, "template", "spec")
        job = _job_spec(replicated)
        if not isinstance(job, dict):
            found.append(causes.required(f"spec.replicatedJobs[{index}].template.spec"))
        elif part is not None:
            found += part.check(job, at=at)
    return found


def _job_spec(replicated: Object) -> object:
    template = replicated.get("template")
    return template.get("spec") if isinstance(template, dict) else None
