"""The roles and bindings that every server has: upstream's, as far as they mean something here, and the house's own.

Our own controllers and the node agent need none: they are the platform itself and act as its administrator. The roles
for a scheduler, a node or a provisioner are there for those that somebody runs beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairway.cluster.api.authorizing import aggregated_roles, own_namespace
from fairway.cluster.api.authorizing.aggregated_roles import READ, WRITE, rule
from fairway.cluster.api.identity.tokens import AUTHENTICATED, MASTERS
from fairway.cluster.api.resources import Resource
from fairway.kernel.objects.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, Object

AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
TO_WORKLOADS = "fairway.dev/aggregate-to-workloads"
NODES = "system:nodes"

_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_HEALTH = ("/healthz", "/livez", "/readyz")
_VERSION = ("/version", "/version/")
_RBAC = "rbac.authorization.k8s.io"
_BOUNDS = ("limitranges", "resourcequotas")
"""What an administrator sets for a namespace, and its workloads may only read."""


def roles(served: Sequence[Resource]) -> list[Object]:
    """All ClusterRoles; the aggregated ones with the rules that they have once aggregated."""
    plain = [_role(name, rules) for name, rules in _plain().items()]
    parts = [_role(name, rules, {label: "true"}) for name, (label, rules) in aggregated_roles.parts().items()]
    workloads = _role(f"{own_namespace.ROLE}:built-in", _workload_rules(served), {TO_WORKLOADS: "true"})
    return [*plain, *parts, workloads, *_wholes([*parts, workloads])]


def bindings() -> list[Object]:
    given: dict[str, tuple[str, ...]] = {
        "cluster-admin": (MASTERS,),
        "system:discovery": (AUTHENTICATED,),
        "system:basic-user": (AUTHENTICATED,),
        "system:public-info-viewer": (AUTHENTICATED, "system:unauthenticated"),
        "system:service-account-issuer-discovery": ("system:serviceaccounts",),
        "system:monitoring": ("system:monitoring",),
        "system:node": (NODES,),
    }
    return [_binding(name, "Group", groups) for name, groups in given.items()] + [
        _binding(f"system:{name}", "User", (f"system:{name}",)) for name in ("kube-scheduler", "kube-proxy")
    ]


def _plain() -> dict[str, list[Object]]:
    reviews = rule(("create",), "authentication.k8s.io", "tokenreviews")
    access = rule(("create",), "authorization.k8s.io", "subjectaccessreviews")
    events = [rule(("create", "patch", "update"), group, "events") for group in ("", "events.k8s.io")]
    return {
        "cluster-admin": [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            {"nonResourceURLs": ["*"], "verbs": ["*"]},
        ],
        "system:discovery": [
            _urls("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_HEALTH, *_VERSION)
        ],
        "system:public-info-viewer": [_urls(*_HEALTH, *_VERSION)],
        "system:monitoring": [_urls(*_HEALTH, *(f"{path}/*" for path in _HEALTH), "/metrics", "/metrics/slis")],
        "system:service-account-issuer-discovery": [
            _urls(
                *(path + end for path in ("/.well-known/openid-configuration", "/openid/v1/jwks") for end in ("", "/"))
            )
        ],
        "system:basic-user": [
            rule(("create",), "authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectrulesreviews"),
            rule(("create",), "authentication.k8s.io", "selfsubjectreviews"),
        ],
        "system:auth-delegator": [reviews, access],
        "system:node": [reviews, access, *_node(), *events],
        "system:kube-scheduler": [*_scheduler(), *events],
        "system:kube-proxy": [
            rule(("list", "watch"), "", "endpoints", "services"),
            rule(READ, "", "nodes"),
            rule(("list", "watch"), "discovery.k8s.io", "endpointslices"),
            *events,
        ],
        "system:persistent-volume-provisioner": [
            rule(("create", "delete", *READ), "", "persistentvolumes"),
            rule(("update", *READ), "", "persistentvolumeclaims"),
            rule(READ, "storage.k8s.io", "storageclasses"),
            rule(("watch",), "", "events"),
            *events,
        ],
        "system:certificates.k8s.io:certificatesigningrequests:approver": [
            rule(READ, "certificates.k8s.io", "certificatesigningrequests"),
            rule(("update",), "certificates.k8s.io", "certificatesigningrequests/approval"),
        ],
        "system:certificates.k8s.io:kube-apiserver-client-approver": [
            rule(("approve",), "certificates.k8s.io", "signers")
            | {"resourceNames": ["kubernetes.io/kube-apiserver-client"]}
        ],
    }


def _node() -> list[Object]:
    """An agent that connects over HTTP. It sees all pods and their secrets: there is no finer rule."""
    return [
        rule(READ, "", "services"),
        rule(("create", "delete", "patch", "update", *READ), "", "nodes"),
        rule(("patch", "update"), "", "nodes/status", "persistentvolumeclaims/status"),
        rule(("create", "delete", *READ), "", "pods"),
        rule(("patch", "update"), "", "pods/status"),
        rule(("create",), "", "pods/eviction", "serviceaccounts/token"),
        rule(READ, "", "configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims", "persistentvolumes"),
        rule(("create", "delete", "patch", "update", "get"), "coordination.k8s.io", "leases"),
    ]


def _scheduler() -> list[Object]:
    return [
        rule(READ, "", "namespaces", "nodes", "persistentvolumeclaims", "persistentvolumes", "services"),
        rule(("delete", *READ), "", "pods"),
        rule(("create",), "", "bindings", "pods/binding"),
        rule(("patch", "update"), "", "pods/status"),
        rule(READ, "apps", "replicasets", "statefulsets"),
        rule(READ, "policy", "poddisruptionbudgets"),
        rule(("create", "get", "list", "update", "watch"), "coordination.k8s.io", "leases"),
    ]


def _workload_rules(served: Iterable[Resource]) -> list[Object]:
    """Everything that lies in a namespace, but not what bounds it. Custom resources come by aggregation."""
    core = {
        name
        for row in served
        if not row.kind.group and row.kind.namespaced and row.kind.plural not in _BOUNDS
        for name in (row.kind.plural, *(f"{row.kind.plural}/{sub.name}" for sub in row.subresources))
    }
    for _, rules in aggregated_roles.parts().values():  # so that they can pass on `edit` and `view`
        core |= {name for each in rules if each["apiGroups"] == [""] for name in each["resources"]}
    core -= {"namespaces", "namespaces/status", *_BOUNDS, *(f"{name}/status" for name in _BOUNDS)}
    groups = sorted({row.kind.group for row in served if row.kind.namespaced} - {"", _RBAC})
    return [
        # Not every verb: with `escalate` and `bind` they could give themselves what they have not.
        rule((*READ, *WRITE), _RBAC, "roles", "rolebindings"),
        rule(("*",), "", *core),
        rule(READ, "", *_BOUNDS, *(f"{name}/status" for name in (*_BOUNDS, "namespaces")), "namespaces"),
        {"apiGroups": groups, "resources": ["*"], "verbs": ["*"]},
    ]


def _wholes(parts: list[Object]) -> list[Object]:
    """The aggregated roles, from the smallest: view is a part of edit, and edit of admin."""
    wholes = {own_namespace.ROLE: (TO_WORKLOADS, {}), **aggregated_roles.wholes()}
    made: list[Object] = []
    for name in (own_namespace.ROLE, "view", "edit", "admin"):
        label, labels = wholes[name]
        found = sorted(
            (role for role in (*parts, *made) if label in role["metadata"]["labels"]),
            key=lambda role: str(role["metadata"]["name"]),
        )
        rules = [each for role in found for each in role["rules"]]
        made.append(_marked(aggregated_roles.whole(name, label, labels, rules)))
    return made


def _urls(*paths: str) -> Object:
    return {"nonResourceURLs": sorted(paths), "verbs": ["get"]}


def _role(name: str, rules: list[Object], labels: dict[str, str] | None = None) -> Object:
    return _marked(CLUSTER_ROLE.new(name, metadata={"labels": labels or {}}, rules=rules))


def _binding(name: str, kind: str, names: tuple[str, ...]) -> Object:
    subjects = [{"apiGroup": _RBAC, "kind": kind, "name": each} for each in names]
    reference = {"apiGroup": _RBAC, "kind": CLUSTER_ROLE.kind, "name": name}
    return _marked(CLUSTER_ROLE_BINDING.new(name, metadata={}, subjects=subjects, roleRef=reference))


def _marked(obj: Object) -> Object:
    metadata = obj["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), **_LABELS}
    metadata["annotations"] = {AUTOUPDATE: "true"}
    return obj
