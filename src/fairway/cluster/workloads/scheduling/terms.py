"""How pods name each other: the terms of (anti-)affinity and spread constraints, and which pods they mean. Pure.

Only demands are looked at; wishes are for clusters with nodes to choose from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fairway.kernel.objects import meta, selectors
from fairway.kernel.objects.kinds import Object

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"

NamespaceLabels = Callable[[str], Mapping[str, str]]


def affinity(spec: Object) -> list[Object]:
    return _terms(spec, "podAffinity")


def anti_affinity(spec: Object) -> list[Object]:
    return _terms(spec, "podAntiAffinity")


def spread(spec: Object) -> list[Object]:
    constraints = spec.get("topologySpreadConstraints") or ()
    return [each for each in constraints if each.get("whenUnsatisfiable") != "ScheduleAnyway"]


def minds_others(spec: Object) -> bool:
    """Whether it depends on other pods where this one may be."""
    return bool(affinity(spec) or anti_affinity(spec) or spread(spec))


def means(
    term: Object, namespace: str, labels: Mapping[str, str], namespace_labels: NamespaceLabels
) -> Callable[[Object], bool]:
    """Whether a pod is one that the term means, which a pod with these labels in this namespace carries."""
    named, space = term.get("namespaces") or (), term.get("namespaceSelector")
    spaces = selectors.of_stored(space) if space is not None else None
    fits = selectors.of_stored(_selector(term, labels))

    def test(pod: Object) -> bool:
        where = meta.namespace(pod)
        if where in named or (spaces is not None and spaces(namespace_labels(where))):
            return fits(meta.labels(pod))
        return not named and spaces is None and where == namespace and fits(meta.labels(pod))

    return test


def _selector(term: Object, labels: Mapping[str, str]) -> Object | None:
    """With the values of the carrier's own labels, where the term asks for pods that share or do not share them."""
    selector = term.get("labelSelector")
    more: list[dict[str, Any]] = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in term.get(field) or ()
        if key in labels
    ]
    if selector is None or not more:
        return selector
    return {**selector, "matchExpressions": [*(selector.get("matchExpressions") or ()), *more]}


def _terms(spec: Object, kind: str) -> list[Object]:
    return list(((spec.get("affinity") or {}).get(kind) or {}).get(_REQUIRED) or ())
