"""What is in the store from the first start on: the namespaces and the classes that everybody counts on.

The pipeline makes them before it answers anything. What is there already stays as it is; what somebody deleted comes
back with the next start.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairway.cluster.api import objectmeta
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.checks import policy_checks
from fairway.cluster.store.protocol import Key, WrongRevision
from fairway.kernel.objects.kinds import NAMESPACE, PRIORITY_CLASS, STORAGE_CLASS, Kind, Object

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


async def make(backend: Backend) -> None:
    for kind, obj in _first():
        served = backend.registry.find(kind.group, kind.version, kind.plural)
        if served is None:
            continue
        obj["metadata"] = objectmeta.born(obj["metadata"], "", backend.now())
        if not served.strategy.generation:
            del obj["metadata"]["generation"]
        served.strategy.default(obj)
        try:
            await backend.store.create(Key(served.storage, "", obj["metadata"]["name"]), obj)
        except WrongRevision:
            continue  # there since an earlier start


def _first() -> Iterator[tuple[Kind, Object]]:
    for name in _NAMESPACES:
        yield NAMESPACE, NAMESPACE.new(name)
    uses = {
        "system-cluster-critical": "Used for system critical pods that must run in the cluster.",
        "system-node-critical": "Used for system critical pods that must not be moved from their current node.",
    }
    for name, value in policy_checks.SYSTEM_PRIORITIES.items():
        yield PRIORITY_CLASS, PRIORITY_CLASS.new(name, value=value, description=uses[name])
    # What the node does for claims: a folder at the first use, gone with the claim.
    yield (
        STORAGE_CLASS,
        STORAGE_CLASS.new(
            "local-path",
            metadata={"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            provisioner="fairway.dev/local-path",
            reclaimPolicy="Delete",
            volumeBindingMode="WaitForFirstConsumer",
        ),
    )
