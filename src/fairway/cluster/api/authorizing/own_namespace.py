"""The rule of the house: the service accounts of a namespace have the ClusterRole `fairway:workloads` in it.

A real Kubernetes gives service accounts nothing. On one machine, where pods of one namespace are one person's anyway,
steps of pipelines and servers of models find what they need without a word of RBAC. It works as if each namespace had
a RoleBinding of that ClusterRole to the group system:serviceaccounts:NAMESPACE, and is seen where bindings are seen:
`kubectl auth can-i --list --as system:serviceaccount:NAMESPACE:default`.

An administrator ends it for one namespace with a label, and for all others with the setting `service_accounts`.
"""

from __future__ import annotations

from fairway.cluster.store.protocol import Key, Store
from fairway.kernel.objects.kinds import NAMESPACE

ROLE = "fairway:workloads"
LABEL = "fairway.dev/service-accounts"
"""On a namespace. Any value but `own-namespace` means: what Roles say, and nothing else."""
OWN_NAMESPACE, ROLES_ONLY = "own-namespace", "roles-only"

_GROUP = "system:serviceaccounts:"


def holds(store: Store, namespace: str, usual: str = OWN_NAMESPACE) -> bool:
    """Whether it holds in a namespace; `usual` is what holds where no label says otherwise."""
    record = store.get(Key(NAMESPACE.resource, "", namespace))
    if record is None:
        return False
    labels = record.object["metadata"].get("labels") or {}
    return bool(labels.get(LABEL, usual) == OWN_NAMESPACE)


def group_of(namespace: str) -> str:
    return _GROUP + namespace
