"""Whether a node is one that a pod may be on, whatever room there is: selectors, affinity, taints. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fairway.kernel.objects import conditions, meta, selectors
from fairway.kernel.objects.kinds import Object

_NOT_READY = "node.kubernetes.io/not-ready"


def chosen(spec: Object, node: Object) -> bool:
    """As for pods of a DaemonSet, which are bound where they may be."""
    return selected(spec, node) and untolerated(spec, node) is None


def selected(spec: Object, node: Object) -> bool:
    labels = meta.labels(node)
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return matches(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"), node)


def matches(selector: Object | None, node: Object) -> bool:
    """A NodeSelector: one of its terms must hold; none at all asks for nothing."""
    return selector is None or any(_term(term, node) for term in selector.get("nodeSelectorTerms") or ())


def untolerated(spec: Object, node: Object) -> Object | None:
    """The first taint that keeps new pods away and that the pod does not tolerate."""
    tolerations = spec.get("tolerations") or ()
    for taint in taints(node):
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not any(
            tolerates(each, taint) for each in tolerations
        ):
            return taint
    return None


def taints(node: Object) -> list[Object]:
    found = list((node.get("spec") or {}).get("taints") or ())
    if not conditions.is_true(node, "Ready") and not any(taint["key"] == _NOT_READY for taint in found):
        found.append({"key": _NOT_READY, "effect": "NoSchedule"})
    return found


def tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def _term(term: Object, node: Object) -> bool:
    """All expressions of one term hold; a term without any holds for no node, as upstream."""
    on_labels, on_fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not on_labels and not on_fields:
        return False
    fields = {"metadata.name": meta.name(node)}
    labels = meta.labels(node)
    return all(_holds(one, labels) for one in on_labels) and all(_holds(one, fields) for one in on_fields)


def _holds(expression: Object, found: Mapping[str, str]) -> bool:
    """A selector of nodes also knows greater and less, of labels that are numbers."""
    operator = expression.get("operator")
    if operator not in ("Gt", "Lt"):
        return selectors.of_stored({"matchExpressions": [expression]})(found)
    try:
        value, bound = int(found[expression["key"]]), int((expression.get("values") or [""])[0])
    except (KeyError, ValueError):
        return False
    return value > bound if operator == "Gt" else value < bound
