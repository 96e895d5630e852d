"""admin, edit and view: what people get in a namespace, put together from parts by label.

`kubectl create rolebinding --clusterrole=edit` is how most people are let in. The parts are upstream's; whoever defines
a custom resource adds a ClusterRole with one of the labels, and the three roles have it.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.kernel.objects.kinds import CLUSTER_ROLE, Object

READ = ("get", "list", "watch")
WRITE = ("create", "delete", "deletecollection", "patch", "update")
TO_ADMIN, TO_EDIT, TO_VIEW = (f"rbac.authorization.k8s.io/aggregate-to-{role}" for role in ("admin", "edit", "view"))

_RBAC = "rbac.authorization.k8s.io"
_CONNECTIONS = ("pods/attach", "pods/exec", "pods/portforward", "pods/proxy")
_KEPT = ("configmaps", "persistentvolumeclaims", "replicationcontrollers", "replicationcontrollers/scale",
         "serviceaccounts", "services")  # fmt: skip
_STATES = ("bindings", "events", "limitranges", "namespaces/status", "pods/log", "pods/status",
           "replicationcontrollers/status", "resourcequotas", "resourcequotas/status")  # fmt: skip
_APPS = ("daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets",
         "statefulsets/scale")  # fmt: skip
_OTHERS = (
    ("apps", _APPS),
    ("autoscaling", ("horizontalpodautoscalers",)),
    ("batch", ("cronjobs", "jobs")),
    ("networking.k8s.io", ("ingresses", "networkpolicies")),
    ("policy", ("poddisruptionbudgets",)),
)


def rule(verbs: Iterable[str], group: str, *resources: str) -> Object:
    return {"apiGroups": [group], "resources": sorted(resources), "verbs": sorted(verbs)}


def parts() -> dict[str, tuple[str, list[Object]]]:
    """The parts by name: the label that says what they are a part of, and their rules."""
    return {
        "system:aggregate-to-admin": (TO_ADMIN, _admin()),
        "system:aggregate-to-edit": (TO_EDIT, _edit()),
        "system:aggregate-to-view": (TO_VIEW, _view()),
    }


def wholes() -> dict[str, tuple[str, dict[str, str]]]:
    """admin, edit and view: the label of their parts, and their own labels, by which each is a part of the next."""
    return {
        "admin": (TO_ADMIN, {}),
        "edit": (TO_EDIT, {TO_ADMIN: "true"}),
        "view": (TO_VIEW, {TO_EDIT: "true"}),
    }


def whole(name: str, label: str, labels: dict[str, str], rules: list[Object]) -> Object:
    selectors = {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}
    return CLUSTER_ROLE.new(name, metadata={"labels": dict(labels)}, aggregationRule=selectors, rules=rules)


def _admin() -> list[Object]:
    return [
        rule(("create",), "authorization.k8s.io", "localsubjectaccessreviews"),
        rule((*READ, *WRITE), _RBAC, "roles", "rolebindings"),
    ]


def _edit() -> list[Object]:
    return [
        rule(READ, "", *_CONNECTIONS, "secrets", "services/proxy"),
        rule(("impersonate",), "", "serviceaccounts"),
        rule(WRITE, "", "pods", *_CONNECTIONS),
        rule(("create",), "", "pods/eviction"),
        rule(WRITE, "", *_KEPT, "events", "secrets", "services/proxy"),
        rule(("create",), "", "serviceaccounts/token"),
        *(rule(WRITE, group, *resources) for group, resources in _OTHERS),
        rule((*READ, *WRITE), "coordination.k8s.io", "leases"),
    ]


def _view() -> list[Object]:
    return [
        rule(READ, "", *_KEPT, "endpoints", "persistentvolumeclaims/status", "pods", "services/status"),
        rule(READ, "", *_STATES),
        rule(READ, "", "namespaces"),
        rule(READ, "discovery.k8s.io", "endpointslices"),
        rule(READ, "apps", "controllerrevisions"),
        *(rule(READ, group, *_with_status(resources)) for group, resources in _OTHERS),
    ]


def _with_status(resources: tuple[str, ...]) -> list[str]:
    return [*resources, *(f"{each}/status" for each in resources if "/" not in each and each != "networkpolicies")]
