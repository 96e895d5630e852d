"""From a schema to the places that have rules, each rule compiled with the types that the schema gives.

Comes before `evaluating`. Places without rules, at them or below, do not exist here and cost an object nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.cluster.api.cel import types
from fairway.cluster.api.cel.converting import Conversion, conversion
from fairway.cluster.api.cel.costs.extents import Extent
from fairway.cluster.api.cel.program import CompileError, Program, compile_expression
from fairway.cluster.api.cel.schema_types import type_of
from fairway.cluster.api.cel.types import Type
from fairway.kernel.objects.kinds import Object

RULES = "x-kubernetes-validations"
_STEP = re.compile(r"\.([^.\[\]]+)|\['((?:[^'\\]|\\.)*)'\]")
_ESCAPED = re.compile(r"\\(.)")


class BadRule(Exception):
    """A rule that does not compile: which of its fields, and why."""

    def __init__(self, part: str, why: str) -> None:
        self.part = part
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Rule:
    text: str
    program: Program
    transition: bool
    """It speaks of what was there before."""
    optional_old: bool
    """It runs where nothing was there before, too."""
    message: str = ""
    message_program: Program | None = None
    reason: str = ""
    path: str = ""
    """The field below its place that it blames."""


@dataclass(slots=True)
class Place:
    kind: str
    rules: tuple[Rule, ...] = ()
    convert: Conversion | None = None
    """What makes `self` of the value here."""
    properties: dict[str, Place] = field(default_factory=dict)
    extra: Place | None = None
    items: Place | None = None
    keys: tuple[str, ...] | None = None
    """By which items of the list are the same before and after; None where there is no telling."""


def places(schema: Object) -> Place | None:
    """The root, if there is any rule in the schema. Rules that do not compile are refused when they are written."""
    return _place(schema, resource=True, name="self")


def _place(schema: Any, *, resource: bool, name: str) -> Place | None:
    if not isinstance(schema, dict):
        return None
    properties = {
        key: place
        for key, inner in (schema.get("properties") or {}).items()
        if (place := _inner(inner, f"{name}.{key}")) is not None
    }
    extra, items = _inner(schema.get("additionalProperties"), f"{name}.*"), _inner(schema.get("items"), f"{name}[]")
    rules: tuple[Rule, ...] = ()
    convert = None
    if found := all_rules(schema):
        type_ = type_of(schema, resource=resource, name=name)
        if type_ is not None:
            rules = tuple(compiled(rule, schema, type_) for rule in found)
            convert = conversion(type_)
    if not (rules or properties or extra or items):
        return None
    return Place(str(schema.get("type")), rules, convert, properties, extra, items, map_keys(schema))


def _inner(schema: Any, name: str) -> Place | None:
    resource = isinstance(schema, dict) and schema.get("x-kubernetes-embedded-resource") is True
    return _place(schema, resource=resource, name=name)


def all_rules(schema: Object) -> list[Object]:
    """Those of the place itself and of its allOf, which speak of the same value."""
    parts = [schema, *(part for part in schema.get("allOf") or () if isinstance(part, dict))]
    return [rule for part in parts for rule in part.get(RULES) or () if str(rule.get("rule") or "").strip()]


def map_keys(schema: Object) -> tuple[str, ...] | None:
    if schema.get("x-kubernetes-list-type") != "map":
        return None
    return tuple(schema.get("x-kubernetes-list-map-keys") or ())


def compiled(rule: Object, schema: Object, type_: Type, extent: Extent | None = None) -> Rule:
    """Raises BadRule. `extent` says how large values may be, where somebody asks what the rule may cost at worst."""
    optional = rule.get("optionalOldSelf") is True
    variables = {"self": type_, "oldSelf": types.optional_of(type_) if optional else type_}
    program = _program(rule["rule"], variables, "rule", "compilation failed: ", extent)
    if program.type.kind != "bool":
        raise BadRule("rule", "cel expression must evaluate to a bool")
    message_program = None
    if rule.get("messageExpression"):
        words = "messageExpression compilation failed: "
        message_program = _program(rule["messageExpression"], variables, "messageExpression", words, extent)
        if message_program.type.kind != "string":
            raise BadRule("messageExpression", "messageExpression must evaluate to a string")
    return Rule(
        text=rule["rule"].strip(),
        program=program,
        transition="oldSelf" in program.used,
        optional_old=optional,
        message=str(rule.get("message") or "").strip(),
        message_program=message_program,
        reason=str(rule.get("reason") or ""),
        path=field_path(schema, rule["fieldPath"]) or "" if rule.get("fieldPath") else "",
    )


def _program(text: str, variables: Mapping[str, Type], part: str, words: str, extent: Extent | None) -> Program:
    try:
        return compile_expression(text, variables, extent=extent)
    except CompileError as problem:
        raise BadRule(part, f"{words}{problem}") from None


def field_path(schema: Object, text: str) -> str | None:
    """The path below the schema as errors spell it; None where it leads nowhere.

    >>> field_path({"properties": {"a": {"additionalProperties": {"type": "string"}}}}, ".a['b']")
    'a[b]'
    """
    at, shown, place = 0, "", schema
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            return None
        name = match[1] if match[1] is not None else _ESCAPED.sub(r"\1", match[2])
        if name in (place.get("properties") or {}):
            place, shown = place["properties"][name], f"{shown}.{name}" if shown else name
        elif isinstance(place.get("additionalProperties"), dict):
            place, shown = place["additionalProperties"], f"{shown}[{name}]"
        else:
            return None
        at = match.end()
    return shown or None
