"""Questions about permissions, for expressions of admission: `authorizer.group('').resource('pods').check('create')`.

Nobody looks at selectors, as RBAC does not: a check with one is answered as the check without it.

Who answers is given with the variable: an `Authorizer` holds a function that takes an `Question`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from fairway.cluster.api.cel.failures import EvaluationError
from fairway.cluster.api.cel.library.overloads import Overload, overload
from fairway.kernel.objects import names

_DEAR = 350_000
"""What one check costs: it may have to ask somebody."""
_LIST, _REQUIREMENT = 10, 50


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be checked, for whom: the empty user is the one who sent the request."""

    user: str = ""
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    verb: str = ""


Answer = Callable[[Question], tuple[bool, str]]
"""Whether it is allowed, and why."""


@dataclass(frozen=True, slots=True)
class Authorizer:
    answer: Answer
    question: Question = Question()


class PathCheck(Authorizer):
    __slots__ = ()


class GroupCheck(Authorizer):
    __slots__ = ()


class ResourceCheck(Authorizer):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: str


def functions() -> Mapping[str, list[Overload]]:
    return {
        "path": [overload("Authorizer.(string) PathCheck", _path)],
        "group": [
            overload(
                "Authorizer.(string) GroupCheck",
                lambda one, name: GroupCheck(one.answer, replace(one.question, group=name)),
            )
        ],
        "serviceAccount": [overload("Authorizer.(string, string) Authorizer", _service_account)],
        "resource": [overload("GroupCheck.(string) ResourceCheck", _resource)],
        **{
            name: [overload("ResourceCheck.(string) ResourceCheck", _with(name))]
            for name in ("subresource", "namespace", "name")
        },
        **{
            name: [overload("ResourceCheck.(string) ResourceCheck", lambda one, _: one, _selector_cost)]
            for name in ("fieldSelector", "labelSelector")
        },
        "check": [
            overload(f"{kind}.(string) Decision", _check, lambda *_: _DEAR) for kind in ("PathCheck", "ResourceCheck")
        ],
        "allowed": [overload("Decision.() bool", lambda one: one.allowed)],
        "reason": [overload("Decision.() string", lambda one: one.reason)],
        "errored": [overload("Decision.() bool", lambda _: False)],
        "error": [overload("Decision.() string", lambda _: "")],
    }


def _selector_cost(_: ResourceCheck, selector: str) -> int:
    """Upstream's, which makes a requirement of every two characters."""
    return _LIST + len(selector) // 10 + _REQUIREMENT * len(selector) // 2


def _path(one: Authorizer, path: str) -> PathCheck:
    if not path.strip():
        raise EvaluationError("path must not be empty")
    return PathCheck(one.answer, replace(one.question, path=path))


def _service_account(one: Authorizer, namespace: str, name: str) -> Authorizer:
    if not names.dns_subdomain(name):
        raise EvaluationError("Invalid service account name")
    if not names.dns_label(namespace):
        raise EvaluationError("Invalid service account namespace")
    return Authorizer(one.answer, Question(user=f"system:serviceaccount:{namespace}:{name}"))


def _resource(one: GroupCheck, name: str) -> ResourceCheck:
    if not name.strip():
        raise EvaluationError("resource must not be empty")
    return ResourceCheck(one.answer, replace(one.question, resource=name))


def _with(field: str) -> Callable[[ResourceCheck, str], ResourceCheck]:
    def changed(one: ResourceCheck, value: str) -> ResourceCheck:
        changes: dict[str, str] = {field: value}
        return ResourceCheck(one.answer, replace(one.question, **changes))

    return changed


def _check(one: Authorizer, verb: str) -> Decision:
    return Decision(*one.answer(replace(one.question, verb=verb)))
