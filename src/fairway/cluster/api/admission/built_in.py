"""The steps that every server has, in upstream's order: what completes before what asks, what counts last."""

from __future__ import annotations

from fairway.cluster.api.admission.chain import Chain
from fairway.cluster.api.admission.namespaces import NamespaceLifecycle
from fairway.cluster.api.admission.priorities import Priority
from fairway.cluster.store.protocol import Store


def chain(store: Store) -> Chain:
    return Chain((NamespaceLifecycle(store), Priority(store)))
