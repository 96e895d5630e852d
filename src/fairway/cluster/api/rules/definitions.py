"""What is wrong with rules, when a definition is written: those that do not compile, that may cost too much, and fields
that make no sense.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from fairway.cluster.api.cel.costs.extents import extent_of
from fairway.cluster.api.cel.schema_types import type_of
from fairway.cluster.api.rules import compiling
from fairway.cluster.api.rules.compiling import RULES, BadRule, Rule
from fairway.cluster.api.rules.costs import Tally, most_elements
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")


def problems(schema: Any, path: str, before: Any = None) -> Iterator[Cause]:
    """Of a schema that is structural. One that is stored already, `before`, may stay, however dear its rules are."""
    tally = Tally(lenient=schema == before)
    yield from _place(schema, path, _Above(tally), resource=True)
    yield from tally.problems(path)


@dataclass(frozen=True, slots=True)
class _Above:
    """What is known of a place from what holds it."""

    tally: Tally
    lost: str = ""
    """The list from which on nobody knows what an item was before."""
    times: int | None = 1
    """How often the place may be there; None where a list or a map has no limit."""

    def below(self, schema: Object, lost: str = "") -> _Above:
        """The same of what the schema holds."""
        most = most_elements(schema)
        times = None if self.times is None or most is None else self.times * most
        return _Above(self.tally, self.lost or lost, times)


def _place(schema: Any, path: str, above: _Above, *, resource: bool = False) -> Iterator[Cause]:
    if not isinstance(schema, dict):
        return
    resource = resource or schema.get("x-kubernetes-embedded-resource") is True
    yield from _rules(schema, schema, path, resource, above)
    for index, part in enumerate(schema.get("allOf") or ()):
        yield from _rules(part, schema, f"{path}.allOf[{index}]", resource, above)
        yield from _misplaced({key: value for key, value in part.items() if key != RULES}, f"{path}.allOf[{index}]")
    for word in ("anyOf", "oneOf"):
        for index, part in enumerate(schema.get(word) or ()):
            yield from _misplaced(part, f"{path}.{word}[{index}]")
    yield from _misplaced(schema.get("not"), f"{path}.not")
    below = above.below(schema)
    for name, inner in (schema.get("properties") or {}).items():
        yield from _place(inner, f"{path}.properties[{name}]", below)
    yield from _place(schema.get("additionalProperties"), f"{path}.additionalProperties", below)
    if "items" in schema:
        lost = path if compiling.map_keys(schema) is None else ""
        yield from _place(schema["items"], f"{path}.items", above.below(schema, lost))


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


def _rules(holder: Object, schema: Object, path: str, resource: bool, above: _Above) -> Iterator[Cause]:
    """Those of `holder`, which is the schema or a part of its allOf."""
    rules = holder.get(RULES) or ()
    found = [cause for at, rule in _numbered(rules, path) for cause in _words(rule, schema, at)]
    yield from found
    if found or not rules:
        return
    type_, extent = type_of(schema, resource=resource, name="self"), extent_of(schema, resource=resource)
    if type_ is None or extent is None:
        text = "Internal error: failed to convert to declType for CEL validation rules"
        yield Cause(f"{path}.{RULES}", text, "InternalError")
        return
    for at, rule in _numbered(rules, path):
        try:
            compiled = compiling.compiled(rule, schema, type_, extent)
        except BadRule as problem:
            yield Cause(f"{at}.{problem.part}", f"Invalid value: {_shown(rule)}: {problem}")
            continue
        yield from _costs(compiled, at, above.tally, extent.times if above.times is None else above.times)
        if compiled.transition and above.lost:
            text = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {above.lost}"
            yield Cause(f"{at}.rule", f"Invalid value: {_shown(rule['rule'])}: {text}")
        if not compiled.transition and rule.get("optionalOldSelf") is not None:
            text = f"Invalid value: {_shown(rule['optionalOldSelf'])}: may not be set if oldSelf is not used in rule"
            yield Cause(f"{at}.optionalOldSelf", text)


def _costs(rule: Rule, at: str, tally: Tally, times: int) -> Iterator[Cause]:
    """A rule counts for each place where it may be evaluated, its message once."""
    yield from tally.count(f"{at}.rule", rule.program.worst * times, "rule")
    if rule.message_program is not None:
        yield from tally.count(f"{at}.messageExpression", rule.message_program.worst, "messageExpression")


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
