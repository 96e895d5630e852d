"""What somebody may do: the rules that the bindings in the store give them.

Roles and bindings are read from the store's memory when they are asked for, and kept in the form in which questions
are answered until one of them changes. So a new binding counts from the moment in which it is stored, and a question
costs a look into a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fairway.cluster.api.authorizing import own_namespace
from fairway.cluster.api.authorizing.attempts import Attempt, forbidden
from fairway.cluster.api.authorizing.rules import EVERYTHING, Rule
from fairway.cluster.api.identity.tokens import MASTERS
from fairway.cluster.store.protocol import Key, Record, Store
from fairway.kernel.feature import Identity
from fairway.kernel.objects.kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    NAMESPACE,
    ROLE,
    ROLE_BINDING,
    Object,
)

_WATCHED = tuple(kind.resource for kind in (ROLE, CLUSTER_ROLE, ROLE_BINDING, CLUSTER_ROLE_BINDING, NAMESPACE))
_MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Grant:
    """The rules of one role, as one binding gives them. `problem` where the role cannot be found."""

    source: str
    rules: tuple[Rule, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    allowed: bool
    reason: str = ""
    problem: str = ""


Subjects = dict[tuple[str, str], list[Grant]]


class Grants:
    def __init__(self, store: Store, *, service_accounts: str = own_namespace.OWN_NAMESPACE) -> None:
        """`service_accounts` says whether the rule of the house holds in namespaces that do not say it themselves."""
        self._store, self._service_accounts = store, service_accounts
        self._seen: tuple[int, ...] = ()
        self._scopes: dict[str, Subjects] = {}
        self._known: dict[tuple[str, tuple[str, ...], str], tuple[Grant, ...]] = {}

    def check(self, identity: Identity, attempt: Attempt) -> None:
        """Raise Forbidden, in upstream's words, unless the attempt is allowed."""
        if MASTERS in identity.groups:
            return
        answer = self.answer(identity, attempt)
        if not answer.allowed:
            raise forbidden(identity, attempt, answer.problem)

    def allowed(self, identity: Identity, attempt: Attempt) -> bool:
        return MASTERS in identity.groups or self.answer(identity, attempt).allowed

    def answer(self, identity: Identity, attempt: Attempt) -> Answer:
        """Whether it is allowed, and why."""
        if MASTERS in identity.groups:
            return Answer(True, f"the group {MASTERS} may do everything")
        grants = self.of(identity, attempt.namespace)
        for grant in grants:
            for rule in grant.rules:
                if rule.allows(attempt):
                    return Answer(True, f"RBAC: allowed by {grant.source}")
        problems = [grant.problem for grant in grants if grant.problem]
        return Answer(False, problem="RBAC: " + ", ".join(problems) if problems else "")

    def rules(self, identity: Identity, namespace: str) -> tuple[list[Rule], list[str]]:
        """All rules that count for somebody in a namespace (and everywhere), and what was wrong on the way."""
        if MASTERS in identity.groups:
            return list(EVERYTHING), []
        grants = self.of(identity, namespace)
        return [rule for grant in grants for rule in grant.rules], [grant.problem for grant in grants if grant.problem]

    def of(self, identity: Identity, namespace: str) -> tuple[Grant, ...]:
        """What bindings give somebody: those of the cluster first, then those of the namespace, if one is named."""
        self._look()
        key = (identity.user, identity.groups, namespace)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            found = self._known[key] = tuple(self._found(identity, namespace))
        return found

    def role_rules(self, reference: Object, namespace: str) -> tuple[Rule, ...] | None:
        """The rules of the role that a roleRef names; None where there is no such role."""
        record = self._role(reference, namespace)
        return None if record is None else _rules(record)

    def _look(self) -> None:
        """Forget what is known where a role, a binding or a namespace has changed."""
        seen = tuple(map(self._store.changed, _WATCHED))
        if seen != self._seen:
            self._seen = seen
            self._scopes.clear()
            self._known.clear()

    def _found(self, identity: Identity, namespace: str) -> Iterator[Grant]:
        for scope in dict.fromkeys(("", namespace)):
            subjects = self._subjects(scope)
            yield from subjects.get(("User", identity.user), ())
            for group in identity.groups:
                yield from subjects.get(("Group", group), ())
        if namespace and own_namespace.group_of(namespace) in identity.groups:
            yield from self._own_namespace(namespace)

    def _own_namespace(self, namespace: str) -> Iterator[Grant]:
        rules = self.role_rules({"kind": CLUSTER_ROLE.kind, "name": own_namespace.ROLE}, namespace)
        if rules and own_namespace.holds(self._store, namespace, self._service_accounts):
            group = own_namespace.group_of(namespace)
            yield Grant(f'the rule of the house: ClusterRole "{own_namespace.ROLE}" for Group "{group}"', rules)

    def _subjects(self, namespace: str) -> Subjects:
        """Who has what by the bindings of a namespace; with an empty one, by those of the cluster."""
        found = self._scopes.get(namespace)
        if found is None:
            found = self._scopes[namespace] = {}
            kind = ROLE_BINDING if namespace else CLUSTER_ROLE_BINDING
            for record in self._store.list(kind.resource, namespace).records:
                for subject in record.object.get("subjects") or ():
                    grant = self._grant(record, subject, namespace)
                    found.setdefault(_identity_key(subject, namespace), []).append(grant)
        return found

    def _grant(self, binding: Record, subject: Object, namespace: str) -> Grant:
        reference = binding.object["roleRef"]
        rules = self.role_rules(reference, namespace)
        name = f'"{binding.key.name}/{namespace}"' if namespace else f'"{binding.key.name}"'
        shown = f"{subject['name']}/{subject['namespace']}" if subject.get("namespace") else subject.get("name")
        source = (
            f'{binding.object["kind"]} {name} of {reference.get("kind")} "{reference.get("name")}" '
            f'to {subject.get("kind")} "{shown}"'
        )
        if rules is None:
            return Grant(source, (), f'{_resource(reference)} "{reference.get("name")}" not found')
        return Grant(source, rules)

    def _role(self, reference: Object, namespace: str) -> Record | None:
        within = namespace if reference.get("kind") == ROLE.kind else ""
        return self._store.get(Key(_resource(reference), within, str(reference.get("name") or "")))


def _resource(reference: Object) -> str:
    return ROLE.resource if reference.get("kind") == ROLE.kind else CLUSTER_ROLE.resource


def _rules(role: Record) -> tuple[Rule, ...]:
    return tuple(map(Rule.of, role.object.get("rules") or ()))


def _identity_key(subject: Object, namespace: str) -> tuple[str, str]:
    """How an identity says that it is this subject."""
    name = str(subject.get("name") or "")
    if subject.get("kind") == "ServiceAccount":
        return "User", f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"
    return str(subject.get("kind")), name
