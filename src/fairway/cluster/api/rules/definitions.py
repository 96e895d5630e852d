"""What is wrong with rules, when a definition is written: those that do not compile, and fields that make no sense."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from fairway.cluster.api.cel.schema_types import type_of
from fairway.cluster.api.rules import compiling
from fairway.cluster.api.rules.compiling import RULES, BadRule
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")


def problems(schema: Any, path: str) -> Iterator[Cause]:
    """Of a schema that is structural."""
    yield from _place(schema, path, resource=True, lost="")


def _place(schema: Any, path: str, *, resource: bool, lost: str) -> Iterator[Cause]:
    """`lost` is the list above, from which on nobody knows what an item was before."""
    if not isinstance(schema, dict):
        return
    resource = resource or schema.get("x-kubernetes-embedded-resource") is True
    yield from _rules(schema, schema, path, resource, lost)
    for index, part in enumerate(schema.get("allOf") or ()):
        yield from _rules(part, schema, f"{path}.allOf[{index}]", resource, lost)
        yield from _misplaced({key: value for key, value in part.items() if key != RULES}, f"{path}.allOf[{index}]")
    for word in ("anyOf", "oneOf"):
        for index, part in enumerate(schema.get(word) or ()):
            yield from _misplaced(part, f"{path}.{word}[{index}]")
    yield from _misplaced(schema.get("not"), f"{path}.not")
    for name, inner in (schema.get("properties") or {}).items():
        yield from _place(inner, f"{path}.properties[{name}]", resource=False, lost=lost)
    yield from _place(schema.get("additionalProperties"), f"{path}.additionalProperties", resource=False, lost=lost)
    if compiling.map_keys(schema) is None:
        lost = lost or path
    yield from _place(schema.get("items"), f"{path}.items", resource=False, lost=lost)


def _misplaced(schema: Any, path: str) -> Iterator[Cause]:
    """Rules stand where the shape is said; where values are constrained only, at the root of allOf alone."""
    if isinstance(schema, list):
        for index, inner in enumerate(schema):
            yield from _misplaced(inner, f"{path}[{index}]")
    elif isinstance(schema, dict):
        if RULES in schema:
            yield Cause(f"{path}.{RULES}", "Forbidden: must be empty to be structural", "FieldValueForbidden")
        for name, inner in schema.items():
            if isinstance(inner, (dict, list)) and name not in ("default", "enum", "example", RULES):
                yield from _misplaced(inner, f"{path}.{name}")


def _rules(holder: Object, schema: Object, path: str, resource: bool, lost: str) -> Iterator[Cause]:
    """Those of `holder`, which is the schema or a part of its allOf."""
    rules = holder.get(RULES) or ()
    found = [cause for at, rule in _numbered(rules, path) for cause in _words(rule, schema, at)]
    yield from found
    if found or not rules:
        return
    type_ = type_of(schema, resource=resource, name="self")
    if type_ is None:
        text = "Internal error: failed to convert to declType for CEL validation rules"
        yield Cause(f"{path}.{RULES}", text, "InternalError")
        return
    for at, rule in _numbered(rules, path):
        try:
            compiled = compiling.compiled(rule, schema, type_)
        except BadRule as problem:
            yield Cause(f"{at}.{problem.part}", f"Invalid value: {_shown(rule)}: {problem}")
            continue
        if compiled.transition and lost:
            text = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {lost}"
            yield Cause(f"{at}.rule", f"Invalid value: {_shown(rule['rule'])}: {text}")
        if not compiled.transition and rule.get("optionalOldSelf") is not None:
            text = f"Invalid value: {_shown(rule['optionalOldSelf'])}: may not be set if oldSelf is not used in rule"
            yield Cause(f"{at}.optionalOldSelf", text)


def _numbered(rules: Any, path: str) -> Iterator[tuple[str, Object]]:
    for index, rule in enumerate(rules):
        yield f"{path}.{RULES}[{index}]", rule


def _words(rule: Object, schema: Object, at: str) -> Iterator[Cause]:
    """What can be said of a rule without compiling it."""
    text, message = str(rule.get("rule") or "").strip(), rule.get("message") or ""
    if not text:
        yield _required(f"{at}.rule", "rule is not specified")
    elif message and not message.strip():
        yield _invalid(f"{at}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip():
        yield _invalid(f"{at}.message", message, "must not contain line breaks")
    elif "\n" in text and not message.strip():
        yield _required(f"{at}.message", "message must be specified if rule contains line breaks")
    expression = rule.get("messageExpression") or ""
    if expression and not expression.strip():
        yield _required(f"{at}.messageExpression", "messageExpression must be non-empty if specified")
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        supported = ", ".join(f'"{name}"' for name in _REASONS)
        text = f"Unsupported value: {_shown(reason)}: supported values: {supported}"
        yield Cause(f"{at}.reason", text, "FieldValueNotSupported")
    path = rule.get("fieldPath") or ""
    if path and not path.strip():
        yield _invalid(f"{at}.fieldPath", path, "must be non-empty if specified")
    elif "\n" in path:
        yield _invalid(f"{at}.fieldPath", path, "must not contain line breaks")
    elif path and compiling.field_path(schema, path) is None:
        yield _invalid(f"{at}.fieldPath", path, "must be a valid path")


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()


def _required(field: str, why: str) -> Cause:
    return Cause(field, f"Required value: {why}", "FieldValueRequired")


def _invalid(field: str, value: Any, why: str) -> Cause:
    return Cause(field, f"Invalid value: {_shown(value)}: {why}")
