"""NamespaceLifecycle: new objects need a namespace that exists and is not going away; some namespaces stay."""

from __future__ import annotations

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.store.protocol import Key, Store
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import NAMESPACE, Object

_KEPT = ("default", "kube-system", "kube-public")


class NamespaceLifecycle(Step):
    def __init__(self, store: Store) -> None:
        self._store = store

    def wants(self, request: Request) -> bool:
        if request.operation == "CREATE":
            return bool(request.call.namespace)
        return request.operation == "DELETE" and request.resource == NAMESPACE.resource

    async def mutate(self, request: Request) -> None:
        if request.operation == "CREATE":
            self._is_open(request)

    async def validate(self, request: Request) -> None:
        name = request.call.name
        if request.operation == "DELETE" and name in _KEPT:
            text = f'namespaces "{name}" is forbidden: this namespace may not be deleted'
            raise errors.Forbidden(text, details={"name": name, "kind": NAMESPACE.plural})

    def _is_open(self, request: Request) -> None:
        namespace = request.call.namespace
        record = self._store.get(Key(NAMESPACE.resource, "", namespace))
        if record is None:
            raise errors.not_found(NAMESPACE.resource, namespace)
        if record.object["metadata"].get("deletionTimestamp"):
            raise _terminating(request)


def _terminating(request: Request) -> errors.Forbidden:
    served, namespace, name = request.call.served, request.call.namespace, request.call.name
    cause: Object = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    return errors.Forbidden(
        f'{served.label} "{name}" is forbidden: unable to create new content in namespace {namespace} '
        "because it is being terminated",
        details={"name": name, "kind": served.resource.kind.plural, "causes": [cause]},
    )
