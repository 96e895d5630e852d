"""From a policy and its bindings, as they are stored, to what can be run on a request. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.cluster.api.admission.webhooks.hooks import Rule, compiled_rule, selector_test
from fairway.cluster.api.cel import types
from fairway.cluster.api.cel.program import Program
from fairway.cluster.api.cel.types import Field, Type
from fairway.cluster.api.request_expressions import POLICY_VARIABLES, BadExpression, compiled
from fairway.kernel.objects import selectors
from fairway.kernel.objects.kinds import Object

_JSON_PATCH = types.object_of(
    "JSONPatch",
    {
        "op": Field("op", types.STRING),
        "path": Field("path", types.STRING),
        "from": Field("from", types.STRING),
        "value": Field("value", types.DYN),
    },
)


@dataclass(frozen=True, slots=True)
class Constraints:
    """Which requests a policy or a binding is about; without rules, all that the selectors leave."""

    rules: tuple[Rule, ...] = ()
    excluded: tuple[Rule, ...] = ()
    namespaces: selectors.Test | None = None
    objects: selectors.Test | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Binding:
    name: str
    constraints: Constraints
    parameters: Object | None
    """Its paramRef."""
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Validation:
    program: Program
    message: str
    message_program: Program | None
    reason: str


@dataclass(frozen=True, slots=True)
class Mutation:
    program: Program
    applies: bool
    """What it gives is applied to the object; else it is a list of operations of a JSON patch."""


@dataclass(frozen=True, slots=True)
class Policy:
    name: str
    constraints: Constraints
    conditions: Mapping[str, Program]
    variables: tuple[tuple[str, Program], ...]
    parameter_kind: Object | None
    ignorable: bool
    """What has no value is passed over."""
    validations: tuple[Validation, ...] = ()
    notes: tuple[tuple[str, Program], ...] = ()
    """Annotations for the audit record."""
    mutations: tuple[Mutation, ...] = ()
    again: bool = False
    problem: str = ""
    """Why it cannot be run at all."""
    bindings: tuple[Binding, ...] = ()


class _Objects(Mapping[str, Type]):
    """The types of objects that a mutation may make: `Object` and everything under it, without a schema."""

    def __getitem__(self, name: str) -> Type:
        if name == "JSONPatch":
            return _JSON_PATCH
        if name == "Object" or name.startswith("Object."):
            return Type("object", name=name)
        raise KeyError(name)

    def __iter__(self) -> Any:
        return iter(("Object", "JSONPatch"))

    def __len__(self) -> int:
        return 2


MADE = _Objects()


@dataclass(slots=True)
class Names:
    """What the expressions of one policy may name; each variable is there for those after it."""

    parameters: bool
    _variables: dict[str, Field] = field(default_factory=dict)

    def known(self, *, composed: bool = True) -> dict[str, Type]:
        names = dict(POLICY_VARIABLES)
        if self.parameters:
            names["params"] = types.DYN
        if composed and self._variables:
            names["variables"] = types.object_of("kubernetes.variables", dict(self._variables))
        return names

    def add(self, name: str, type_: Type) -> None:
        self._variables[name] = Field(name, type_)


def constraints(match: Object | None) -> Constraints:
    if not match:
        return Constraints()
    return Constraints(
        tuple(map(compiled_rule, match.get("resourceRules") or ())),
        tuple(map(compiled_rule, match.get("excludeResourceRules") or ())),
        selector_test(match.get("namespaceSelector")),
        selector_test(match.get("objectSelector")),
        match.get("matchPolicy") == "Exact",
    )


def binding(obj: Object) -> Binding:
    spec = obj["spec"]
    actions = tuple(spec.get("validationActions") or ())
    return Binding(obj["metadata"]["name"], constraints(spec.get("matchResources")), spec.get("paramRef"), actions)


def policy(obj: Object, bindings: tuple[Binding, ...]) -> Policy:
    """A policy that does not compile, as the engine has become stricter since it was written, says why."""
    spec, name = obj["spec"], obj["metadata"]["name"]
    ignorable = spec.get("failurePolicy") == "Ignore"
    wanted = constraints(spec.get("matchConstraints"))
    kind = spec.get("paramKind")
    try:
        names = Names(kind is not None)
        conditions = {
            one["name"]: compiled(one["expression"], names.known(composed=False), "bool")
            for one in spec.get("matchConditions") or ()
        }
        variables = tuple(_variable(one, names) for one in spec.get("variables") or ())
        return Policy(
            name,
            wanted,
            conditions,
            variables,
            kind,
            ignorable,
            tuple(_validation(one, names) for one in spec.get("validations") or ()),
            tuple(_note(one, names) for one in spec.get("auditAnnotations") or ()),
            tuple(mutation(one, names) for one in spec.get("mutations") or ()),
            spec.get("reinvocationPolicy") == "IfNeeded",
            bindings=bindings,
        )
    except BadExpression as problem:
        return Policy(name, wanted, {}, (), kind, ignorable, problem=f"compilation error: {problem}", bindings=bindings)


def _variable(variable: Object, names: Names) -> tuple[str, Program]:
    program = compiled(variable["expression"], names.known())
    names.add(variable["name"], program.type)
    return variable["name"], program


def _validation(validation: Object, names: Names) -> Validation:
    words = validation.get("messageExpression")
    return Validation(
        compiled(validation["expression"], names.known(), "bool"),
        str(validation.get("message") or "").strip(),
        compiled(words, names.known(), "string") if words else None,
        str(validation.get("reason") or "Invalid"),
    )


def _note(annotation: Object, names: Names) -> tuple[str, Program]:
    return annotation["key"], compiled(annotation["valueExpression"], names.known(), "string", "null")


def mutation(one: Object, names: Names) -> Mutation:
    """Raises BadExpression."""
    applies = one.get("patchType") == "ApplyConfiguration"
    text = ((one.get("applyConfiguration") if applies else one.get("jsonPatch")) or {}).get("expression") or ""
    program = compiled(text, names.known(), objects=MADE)
    shown = str(program.type)
    wanted = "Object" if applies else "list(JSONPatch)"
    if shown != wanted and not (shown.startswith("list(") and not applies and program.type.element.kind == "dyn"):
        raise BadExpression(f"must evaluate to {wanted} but got {shown}")
    return Mutation(program, applies)
