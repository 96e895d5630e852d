"""What is wrong with a selector of labels or of nodes, and with what of a pod names others by one: its affinities, and
how it wants to be spread. In upstream's words.

Whoever reads a selector later, such as the scheduler, takes it for one that can be read.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairway.cluster.api.checks import causes
from fairway.cluster.api.objectmeta import labels_problems
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_NO_OPERATOR = "not a valid selector operator"


def of_labels(selector: Object | None, at: str) -> Iterator[Cause]:
    """A LabelSelector; None asks for nothing."""
    if not selector:
        return
    yield from labels_problems(selector.get("matchLabels") or {}, f"{at}.matchLabels")
    for index, expression in causes.items(selector, "matchExpressions"):
        yield from _expression(expression, f"{at}.matchExpressions[{index}]")


def of_nodes(selector: Object | None, at: str) -> Iterator[Cause]:
    """A NodeSelector; None asks for nothing."""
    if selector is None:
        return
    terms = causes.items(selector, "nodeSelectorTerms")
    if not terms:
        yield causes.required(f"{at}.nodeSelectorTerms", "must have at least one node selector term")
    for index, term in terms:
        yield from _node_term(term, f"{at}.nodeSelectorTerms[{index}]")


def of_pod(spec: Object, at: str) -> Iterator[Cause]:
    """All selectors in the spec of a pod."""
    affinity = spec.get("affinity") or {}
    if nodes := affinity.get("nodeAffinity"):
        where = f"{at}.affinity.nodeAffinity"
        yield from of_nodes(nodes.get(_REQUIRED), f"{where}.{_REQUIRED}")
        for index, wish in causes.items(nodes, _PREFERRED):
            yield from _node_term(wish.get("preference") or {}, f"{where}.{_PREFERRED}[{index}].preference")
    for kind in ("podAffinity", "podAntiAffinity"):
        if others := affinity.get(kind):
            yield from _pod_terms(others, f"{at}.affinity.{kind}")
    for index, constraint in causes.items(spec, "topologySpreadConstraints"):
        where = f"{at}.topologySpreadConstraints[{index}]"
        if (skew := constraint.get("maxSkew")) is not None and int(skew) <= 0:
            yield causes.invalid(f"{where}.maxSkew", skew, "must be greater than zero")
        yield from of_labels(constraint.get("labelSelector"), f"{where}.labelSelector")


def _pod_terms(affinity: Object, at: str) -> Iterator[Cause]:
    terms = [(f"{at}.{_REQUIRED}[{index}]", term) for index, term in causes.items(affinity, _REQUIRED)]
    for index, wish in causes.items(affinity, _PREFERRED):
        terms.append((f"{at}.{_PREFERRED}[{index}].podAffinityTerm", wish.get("podAffinityTerm") or {}))
    for where, term in terms:
        yield from of_labels(term.get("labelSelector"), f"{where}.labelSelector")
        yield from of_labels(term.get("namespaceSelector"), f"{where}.namespaceSelector")


def _node_term(term: Object, at: str) -> Iterator[Cause]:
    for index, expression in causes.items(term, "matchExpressions"):
        where, operator = f"{at}.matchExpressions[{index}]", expression.get("operator")
        if operator not in ("Gt", "Lt"):
            yield from _expression(expression, where)
        elif len(expression.get("values") or ()) != 1:
            yield causes.required(f"{where}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    for index, expression in causes.items(term, "matchFields"):
        where, operator = f"{at}.matchFields[{index}]", expression.get("operator")
        if operator not in ("In", "NotIn"):
            yield causes.invalid(f"{where}.operator", operator, _NO_OPERATOR)
        elif len(expression.get("values") or ()) != 1:
            text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            yield causes.required(f"{where}.values", text)
        if expression.get("key") != "metadata.name":
            yield causes.invalid(f"{where}.key", expression.get("key"), "not a valid field selector key")


def _expression(expression: Object, at: str) -> Iterator[Cause]:
    operator, values = expression.get("operator"), expression.get("values") or ()
    yield from labels_problems({str(expression.get("key") or ""): ""}, f"{at}.key")
    if operator in ("In", "NotIn"):
        if not values:
            yield causes.required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield causes.forbidden(f"{at}.values", text)
    else:
        yield causes.invalid(f"{at}.operator", operator, _NO_OPERATOR)
