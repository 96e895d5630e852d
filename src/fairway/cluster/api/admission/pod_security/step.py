"""PodSecurity as a step of admission: pods that break the enforced level are refused, templates are warned
of, and what breaks the level of the audit is in its record.

Runs after everything that completes a pod. A namespace that is given a stricter level keeps its pods, and its user is
told which of them would not come in again.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.pod_security import policy as policies
from fairway.cluster.api.admission.pod_security import standards
from fairway.cluster.api.admission.pod_security.policy import Level, Policy
from fairway.cluster.api.admission.pod_security.subject import Finding, Subject
from fairway.cluster.api.admission.request import Request
from fairway.cluster.store.protocol import Key, Store
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import NAMESPACE, POD, Object

_TEMPLATED = frozenset(
    (
        *("podtemplates", "replicationcontrollers", "replicasets.apps", "deployments.apps", "statefulsets.apps"),
        *("daemonsets.apps", "jobs.batch", "cronjobs.batch"),
    )
)
_ENFORCED, _VIOLATIONS = f"{policies.PREFIX}enforce-policy", f"{policies.PREFIX}audit-violations"
"""What is said in the audit record."""
_MOST_PODS = 3000
"""How many pods are looked at when a namespace is given another level."""


class PodSecurity(Step):
    resources = (NAMESPACE.resource, POD.resource, *_TEMPLATED)

    def __init__(self, store: Store) -> None:
        self._store = store

    def wants(self, request: Request) -> bool:
        if request.operation not in ("CREATE", "UPDATE"):
            return False
        if request.resource == NAMESPACE.resource:
            return not request.subresource and _has_labels(request.object, request.old)
        concerned = ("", "ephemeralcontainers") if request.resource == POD.resource else ("",)
        return request.subresource in concerned and _has_labels(self._namespace(request))

    async def validate(self, request: Request) -> None:
        if request.resource == NAMESPACE.resource:
            self._judge_namespace(request)
            return
        policy, _ = policies.read(meta.labels(self._namespace(request)))
        if request.resource == POD.resource:
            if request.operation == "UPDATE" and _images(request.object) == _images(request.old):
                return  # nothing that may be changed in a pod is judged but that
            self._enforce(request, policy)
        subject = _subject(request.object)
        if subject is None:
            return
        if found := _findings(policy.audit, subject):
            request.call.notes[_VIOLATIONS] = _would(policy.audit, found)
        if found := _findings(policy.warn, subject):
            request.call.warnings.append(_would(policy.warn, found))

    def _enforce(self, request: Request, policy: Policy) -> None:
        request.call.notes[_ENFORCED] = str(policy.enforce)
        subject = _subject(request.object)
        if subject is not None and (found := _findings(policy.enforce, subject)):
            why = f'violates PodSecurity "{policy.enforce}": {_told(found)}'
            raise errors.forbidden(POD.resource, request.call.name, why)

    def _namespace(self, request: Request) -> Object:
        record = self._store.get(Key(NAMESPACE.resource, "", request.call.namespace))
        return record.object if record else {"metadata": {}}

    def _judge_namespace(self, request: Request) -> None:
        new, wrong = policies.read(meta.labels(request.object))
        old, before = policies.read(meta.labels(request.old) if request.old else {})
        if wrong and wrong != before:
            raise request.call.served.invalid(request.call.name, wrong)
        relaxed = new.enforce.version == old.enforce.version and new.enforce.strictness <= old.enforce.strictness
        if request.operation == "UPDATE" and not relaxed:
            pods = self._store.list(POD.resource, request.call.name).records
            request.call.warnings += _warnings(request.call.name, new.enforce, [pod.object for pod in pods])


def _warnings(namespace: str, level: Level, pods: list[Object]) -> list[str]:
    """Which of the pods that are there would not come in at the new level, those of one reason together."""
    by_reason: dict[str, list[str]] = {}
    for pod in pods[:_MOST_PODS]:
        if found := _findings(level, Subject(pod["metadata"], pod["spec"])):
            by_reason.setdefault(", ".join(each.reason for each in found), []).append(meta.name(pod))
    told = []
    if len(pods) > _MOST_PODS:
        told.append(
            f"new PodSecurity enforce level only checked against the first {_MOST_PODS} of {len(pods)} existing pods"
        )
    if by_reason:
        told.append(f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{level}"')
    return [*told, *sorted(f"{_first_of(names)}: {reason}" for reason, names in by_reason.items())]


def _first_of(names: list[str]) -> str:
    others = len(names) - 1
    more = f" (and {others} other pod{'s' if others > 1 else ''})" if others else ""
    return f"{min(names)}{more}"


def _has_labels(*namespaces: Object) -> bool:
    return any(key.startswith(policies.PREFIX) for each in namespaces if each for key in meta.labels(each))


def _subject(obj: Object) -> Subject | None:
    """The pod, or the template of a workload."""
    if obj["kind"] == POD.kind:
        return Subject(obj["metadata"], obj["spec"])
    spec = obj.get("spec") or {}
    template = obj.get("template") or ((spec.get("jobTemplate") or {}).get("spec") or spec).get("template")
    if not template:
        return None
    return Subject(template.get("metadata") or {}, template.get("spec") or {})


def _images(pod: Object) -> list[tuple[object, object]]:
    spec = pod["spec"]
    parts = ("initContainers", "containers", "ephemeralContainers")
    return [(each.get("name"), each.get("image")) for part in parts for each in spec.get(part) or ()]


def _findings(level: Level, subject: Subject) -> list[Finding]:
    return standards.findings(level.name, level.minor, subject)


def _would(level: Level, findings: Iterable[Finding]) -> str:
    return f'would violate PodSecurity "{level}": {_told(findings)}'


def _told(findings: Iterable[Finding]) -> str:
    return ", ".join(map(str, findings))
