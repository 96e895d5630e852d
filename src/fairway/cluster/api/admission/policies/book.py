"""The policies of one kind with their bindings, compiled anew when one of either has changed."""

from __future__ import annotations

from fairway.cluster.api.admission.policies import compiling
from fairway.cluster.api.admission.policies.compiling import Binding, Policy
from fairway.cluster.store.protocol import Store
from fairway.kernel.objects.kinds import Kind


class Book:
    def __init__(self, store: Store, policy: Kind, binding: Kind) -> None:
        self._store, self._policy, self._binding = store, policy.resource, binding.resource
        self._seen: tuple[int, int] | None = None
        self._policies: tuple[Policy, ...] = ()

    def policies(self) -> tuple[Policy, ...]:
        """Those that a binding puts in force, by name."""
        seen = self._store.changed(self._policy), self._store.changed(self._binding)
        if seen != self._seen:
            self._policies = tuple(self._compiled())
            self._seen = seen
        return self._policies

    def _compiled(self) -> list[Policy]:
        bindings: dict[str, list[Binding]] = {}
        for record in self._store.list(self._binding).records:
            if not record.object["metadata"].get("deletionTimestamp"):
                bound = compiling.binding(record.object)
                bindings.setdefault(record.object["spec"]["policyName"], []).append(bound)
        return [
            compiling.policy(record.object, tuple(bindings[name]))
            for record in self._store.list(self._policy).records
            if (name := record.object["metadata"]["name"]) in bindings
        ]
