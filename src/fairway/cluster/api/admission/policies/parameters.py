"""What a binding configures its policy with: objects of the policy's kind of parameters, by name or by labels."""

from __future__ import annotations

from fairway.cluster.api.admission.policies.compiling import Binding, Policy
from fairway.cluster.api.registry import Registry, Served
from fairway.cluster.store.protocol import Key, Store
from fairway.kernel.objects import selectors
from fairway.kernel.objects.kinds import Object


class Misconfigured(Exception):
    """The policy cannot be run for this request; the text is upstream's."""


class Parameters:
    def __init__(self, store: Store, registry: Registry) -> None:
        self._store, self._registry = store, registry

    def of(self, policy: Policy, binding: Binding, namespace: str) -> list[Object | None]:
        """The policy is run once for each; None is a run without any. Raises Misconfigured."""
        wanted, kind = binding.parameters, policy.parameter_kind
        if kind is None or wanted is None:
            return [None]
        served = self._served(kind)
        found = self._found(served, wanted, self._namespace(served, wanted, namespace))
        if not found and wanted.get("parameterNotFoundAction") == "Deny":
            raise Misconfigured("no params found for policy binding with `Deny` parameterNotFoundAction")
        return [*found]

    def _served(self, kind: Object) -> Served:
        for served in self._registry:
            if served.resource.kind.api_version == kind["apiVersion"] and served.resource.kind.kind == kind["kind"]:
                return served
        raise Misconfigured(f"paramKind kind `{kind['apiVersion']}, Kind={kind['kind']}` not known")

    def _namespace(self, served: Served, wanted: Object, namespace: str) -> str:
        named = wanted.get("namespace") or ""
        if not served.resource.kind.namespaced:
            if named:
                raise Misconfigured("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
            return ""
        if not named and not namespace:
            text = "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
            raise Misconfigured(text)
        return str(named or namespace)

    def _found(self, served: Served, wanted: Object, namespace: str) -> list[Object]:
        view = served.to_view or (lambda obj: obj)
        if wanted.get("name"):
            record = self._store.get(Key(served.storage, namespace, wanted["name"]))
            return [view(record.object)] if record else []
        fits = selectors.of(wanted.get("selector"))
        records = self._store.list(served.storage, namespace).records
        return [view(one.object) for one in records if fits(one.object["metadata"].get("labels") or {})]
