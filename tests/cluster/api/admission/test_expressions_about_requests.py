"""Expressions about a request: what they may name, and what must come of them."""

from __future__ import annotations

import pytest

from fairway.cluster.api.cel.library.authorizers import Authorizer, Question, ResourceCheck
from fairway.cluster.api.request_expressions import (
    CONDITION_VARIABLES,
    POLICY_VARIABLES,
    BadExpression,
    Undecided,
    all_hold,
    compiled,
)

_REQUEST = {"operation": "UPDATE", "userInfo": {"username": "ann", "groups": ["a"]}, "kind": {"kind": "Pod"}}


def _answer(question: Question) -> tuple[bool, str]:
    return question.resource == "pods" and question.verb == "create", "because"


_VALUES = {
    "object": {"spec": {"replicas": 3}},
    "oldObject": None,
    "request": _REQUEST,
    "authorizer": Authorizer(_answer),
    "authorizer.requestResource": ResourceCheck(_answer, Question(resource="pods")),
    "namespaceObject": {"metadata": {"labels": {"team": "a"}, "creationTimestamp": "2026-01-01T00:00:00Z"}},
}


@pytest.mark.parametrize(
    "expression",
    [
        "object.spec.replicas > 2 && oldObject == null",
        "request.operation == 'UPDATE' && 'a' in request.userInfo.groups && request.kind.kind == 'Pod'",
        "authorizer.group('').resource('pods').namespace('x').check('create').allowed()",
        "authorizer.requestResource.fieldSelector('spec.nodeName=a').labelSelector('b=c').check('create').allowed()",
        "!authorizer.path('/metrics').check('get').allowed()",
        "authorizer.requestResource.check('create').reason() == 'because'",
        "namespaceObject.metadata.labels.team == 'a'",
        "namespaceObject.metadata.creationTimestamp < timestamp('2027-01-01T00:00:00Z')",
        "!has(object.metadata) && !has(request.namespace)",
    ],
)
def test_what_can_be_named(expression: str) -> None:
    assert all_hold({"it": compiled(expression, POLICY_VARIABLES, "bool")}, _VALUES)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("object.spec", "must evaluate to bool but got dyn"),
        ("request.kinds == 1", "compilation failed: ERROR: <input>:1:8: undefined field 'kinds'"),
        ("namespaceObject == null", "undeclared reference to 'namespaceObject'"),
    ],
)
def test_what_does_not_compile(expression: str, text: str) -> None:
    with pytest.raises(BadExpression) as refused:
        compiled(expression, CONDITION_VARIABLES, "bool")
    assert text in str(refused.value)


def test_a_condition_that_is_false_decides_though_another_has_no_value() -> None:
    broken, false = (compiled(text, CONDITION_VARIABLES, "bool") for text in ("object.x.y == 1", "false"))
    assert not all_hold({"broken": broken, "false": false}, _VALUES)
    with pytest.raises(Undecided, match="resulted in error: no such key: x"):
        all_hold({"broken": broken}, _VALUES)
