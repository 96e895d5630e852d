"""What is wrong with roles and bindings, in upstream's words; what they get by default."""

from __future__ import annotations

from collections.abc import Iterator

from fairway.cluster.api.checks import causes, selector_checks
from fairway.kernel.objects import names
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import CLUSTER_ROLE, ROLE, ROLE_BINDING, Object

GROUP = ROLE.group

_SUBJECT_KINDS = ("ServiceAccount", "User", "Group")


def role(obj: Object) -> Iterator[Cause]:
    """Role and ClusterRole."""
    namespaced = obj["kind"] == ROLE.kind
    aggregation = obj.get("aggregationRule")
    if aggregation is not None and not aggregation.get("clusterRoleSelectors"):
        yield causes.required("aggregationRule.clusterRoleSelectors", "at least one clusterRoleSelector required")
    for index, selector in causes.items(aggregation or {}, "clusterRoleSelectors"):
        yield from selector_checks.of_labels(selector, f"aggregationRule.clusterRoleSelectors[{index}]")
    for index, rule in causes.items(obj, "rules"):
        yield from _rule(rule, f"rules[{index}]", namespaced=namespaced)


def _rule(rule: Object, at: str, *, namespaced: bool) -> Iterator[Cause]:
    if not rule.get("verbs"):
        yield causes.required(f"{at}.verbs", "verbs must contain at least one value")
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            text = "namespaced rules cannot apply to non-resource URLs"
            yield causes.invalid(f"{at}.nonResourceURLs", urls, text)
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            yield causes.invalid(f"{at}.nonResourceURLs", urls, text)
        return
    if not rule.get("apiGroups"):
        yield causes.required(f"{at}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield causes.required(f"{at}.resources", "resource rules must supply at least one resource")


def binding(obj: Object) -> Iterator[Cause]:
    """RoleBinding and ClusterRoleBinding."""
    namespaced = obj["kind"] == ROLE_BINDING.kind
    reference = obj.get("roleRef") or {}
    if reference.get("apiGroup") != GROUP:
        yield causes.unsupported("roleRef.apiGroup", reference.get("apiGroup") or "", GROUP)
    kinds = (CLUSTER_ROLE.kind, ROLE.kind) if namespaced else (CLUSTER_ROLE.kind,)
    if reference.get("kind") not in kinds:
        yield causes.unsupported("roleRef.kind", reference.get("kind") or "", *kinds)
    if not reference.get("name"):
        yield causes.required("roleRef.name")
    for index, subject in causes.items(obj, "subjects"):
        yield from _subject(subject, f"subjects[{index}]", namespaced=namespaced)


def _subject(subject: Object, at: str, *, namespaced: bool) -> Iterator[Cause]:
    kind, name, group = subject.get("kind"), subject.get("name"), subject.get("apiGroup") or ""
    if not name:
        yield causes.required(f"{at}.name")
    if kind not in _SUBJECT_KINDS:
        yield causes.unsupported(f"{at}.kind", kind or "", *sorted(_SUBJECT_KINDS))
    elif kind == "ServiceAccount":
        if name and not names.dns_subdomain(str(name)):
            yield causes.invalid(f"{at}.name", name, "the name of a service account is a lowercase RFC 1123 subdomain")
        if group:
            yield causes.unsupported(f"{at}.apiGroup", group, "")
        if not namespaced and not subject.get("namespace"):
            yield causes.required(f"{at}.namespace")
    elif group != GROUP:
        yield causes.unsupported(f"{at}.apiGroup", group, GROUP)


def binding_change(new: Object, old: Object) -> Iterator[Cause]:
    if new.get("roleRef") != old.get("roleRef"):
        yield causes.invalid("roleRef", new.get("roleRef"), "cannot change roleRef")


def subject_defaults(obj: Object) -> None:
    subjects = obj.get("subjects")
    if isinstance(subjects, list):
        obj["subjects"] = [_with_group(each) if isinstance(each, dict) else each for each in subjects]


def _with_group(subject: Object) -> Object:
    if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
        return {**subject, "apiGroup": GROUP}
    return subject
