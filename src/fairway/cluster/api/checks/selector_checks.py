"""What is wrong with a selector of labels or of nodes, in upstream's words.

Whoever reads a selector later, such as the scheduler, takes it for one that can be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fairway.cluster.api.checks import causes
from fairway.cluster.api.objectmeta import labels_problems
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")
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
        yield from node_term(term, f"{at}.nodeSelectorTerms[{index}]")


def node_term(term: Object, at: str) -> Iterator[Cause]:
    """One NodeSelectorTerm."""
    for index, expression in causes.items(term, "matchExpressions"):
        where, values = f"{at}.matchExpressions[{index}]", expression.get("values") or []
        if expression.get("operator") not in ("Gt", "Lt"):
            yield from _expression(expression, where)
        elif len(values) != 1:
            yield causes.required(f"{where}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
        elif not _NUMBER.fullmatch(str(values[0])):
            yield causes.invalid(f"{where}.values[0]", values[0], "must be an integer")
    for index, expression in causes.items(term, "matchFields"):
        where, operator = f"{at}.matchFields[{index}]", expression.get("operator")
        if operator not in ("In", "NotIn"):
            yield causes.invalid(f"{where}.operator", operator, _NO_OPERATOR)
        elif len(expression.get("values") or []) != 1:
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
