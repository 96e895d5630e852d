"""The checks of single values that an OpenAPI v3 schema asks for, each compiled to a function.

`schemas` puts them together and adds those of children. The texts are those of upstream's validator, because
people search for them and tests match them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from fairway.kernel.objects import formats, patterns
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

Step = str | int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at `steps`. The path is known only at the end, so `after` is what follows it in the text."""

    reason: str
    before: str
    after: str | None = None
    steps: tuple[Step, ...] = ()

    def under(self, step: Step) -> Finding:
        return Finding(self.reason, self.before, self.after, (step, *self.steps))

    def cause(self, path: str) -> Cause:
        text = self.before if self.after is None else f"{self.before}{path or '<nil>'}{self.after}"
        return Cause(path, text, self.reason)


Check = Callable[[Any], "list[Finding] | None"]

_INVALID = "FieldValueInvalid"
_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())
    ),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
}
_CLASSES: dict[str, type] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": float,
}
_NUMBERS: dict[str, Callable[[Any], bool]] = {
    "int32": lambda value: -(2**31) <= value < 2**31,
    "int64": lambda value: -(2**63) <= value < 2**63,
}


def value_checks(schema: Object, check_of: Callable[[Object], Check]) -> list[Check]:
    """`check_of` compiles a schema inside this one (allOf, anyOf, oneOf, not)."""
    either = schema.get("x-kubernetes-int-or-string") is True or schema.get("format") == "int-or-string"
    checks: list[Check] = []
    if either:
        checks.append(_int_or_string)
    elif kind := schema.get("type"):
        checks.append(_type(kind, schema.get("nullable") is True))
    checks += [make(schema) for key, make in _MAKERS.items() if key in schema]
    if not either and (name := schema.get("format")) and (fits := _format_of(name, schema.get("type"))):
        checks.append(_format(name, fits, text=schema.get("type") == "string"))
    return checks + _combined(schema, check_of)


def embedded(value: Any) -> list[Finding] | None:
    """An object inside an object says what it is, too."""
    if not isinstance(value, dict):
        return None
    found: list[Finding] = []
    for name in ("apiVersion", "kind"):
        given = value.get(name)
        if given is None:
            found.append(Finding("FieldValueRequired", "Required value", steps=(name,)))
        elif not isinstance(given, str):
            found.append(Finding(_INVALID, f"Invalid value: {_shown(given)}: must be a string", steps=(name,)))
        elif not given:
            found.append(Finding(_INVALID, 'Invalid value: "": must not be empty', steps=(name,)))
    if not isinstance(value.get("metadata", {}), dict):
        text = f"Invalid value: {_shown(value['metadata'])}: must be an object"
        found.append(Finding(_INVALID, text, steps=("metadata",)))
    return found or None


def plain_class(schema: Object) -> type | None:
    """The class whose values a schema takes that has no check but that of its type."""
    return _CLASSES.get(str(schema.get("type")))


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()


def _wrong(value: Any, after: str) -> list[Finding]:
    return [Finding(_INVALID, f"Invalid value: {_shown(value)}: ", after)]


def _int_or_string(value: Any) -> list[Finding] | None:
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        return None
    name = _name_of(value)
    return [
        Finding(
            "FieldValueTypeInvalid", f'Invalid value: "{name}": ', f' in body must be of type integer,string: "{name}"'
        )
    ]


def _type(kind: str, nullable: bool) -> Check:
    fits = _TYPES.get(kind)
    if fits is None:
        return lambda _: None

    usual = _CLASSES[kind]

    def check(value: Any) -> list[Finding] | None:
        if value.__class__ is usual or fits(value) or (nullable and value is None):
            return None
        name = _name_of(value)
        return [
            Finding("FieldValueTypeInvalid", f'Invalid value: "{name}": ', f' in body must be of type {kind}: "{name}"')
        ]

    return check


def _name_of(value: Any) -> str:
    if value is None:
        return "null"
    return next((name for name, fits in _TYPES.items() if fits(value)), "unknown")


def _format_of(name: str, kind: str | None) -> Callable[[Any], bool] | None:
    return formats.known(name) if kind == "string" else _NUMBERS.get(name)


def _format(name: str, fits: Callable[[Any], bool], *, text: bool) -> Check:
    right_type = _TYPES["string" if text else "integer"]

    def check(value: Any) -> list[Finding] | None:
        if not right_type(value) or fits(value):
            return None
        return _wrong(value, f" in body must be of type {name}: {_shown(value)}")

    return check


def _required(schema: Object) -> Check:
    names = tuple(schema["required"])

    def check(value: Any) -> list[Finding] | None:
        if not isinstance(value, dict):
            return None
        missing = [name for name in names if name not in value]
        return [Finding("FieldValueRequired", "Required value", steps=(name,)) for name in missing] or None

    return check


def _enum(schema: Object) -> Check:
    allowed = list(schema["enum"])
    listed = ", ".join(map(_shown, allowed))

    def check(value: Any) -> list[Finding] | None:
        if value in allowed or value is None:
            return None
        return [Finding("FieldValueNotSupported", f"Unsupported value: {_shown(value)}: supported values: {listed}")]

    return check


def _bound(key: str, exclusive_key: str, word: str) -> Callable[[Object], Check]:
    def make(schema: Object) -> Check:
        bound, exclusive = schema[key], schema.get(exclusive_key) is True
        lower = key == "minimum"
        text = f" in body should be {word} than {'' if exclusive else 'or equal to '}{_shown(bound)}"

        def check(value: Any) -> list[Finding] | None:
            if not _TYPES["number"](value):
                return None
            beyond = value < bound if lower else value > bound
            return _wrong(value, text) if beyond or (exclusive and value == bound) else None

        return check

    return make


def _multiple(schema: Object) -> Check:
    factor = schema["multipleOf"]

    def check(value: Any) -> list[Finding] | None:
        if not _TYPES["number"](value) or (value / factor).is_integer():
            return None
        return _wrong(value, f" in body should be a multiple of {_shown(factor)}")

    return check


def _pattern(schema: Object) -> Check:
    text = schema["pattern"]
    try:
        expression = patterns.compiled(text)
    except ValueError:
        return lambda _: None  # of a definition from before it would have been refused

    def check(value: Any) -> list[Finding] | None:
        if not isinstance(value, str) or expression.search(value):
            return None
        return _wrong(value, f" in body should match '{text}'")

    return check


def _most(key: str, kind: type[str] | type[list[Any]] | type[dict[str, Any]], what: str) -> Callable[[Object], Check]:
    def make(schema: Object) -> Check:
        most = schema[key]

        def check(value: Any) -> list[Finding] | None:
            if not isinstance(value, kind) or len(value) <= most:
                return None
            if kind is str:
                return [Finding("FieldValueTooLong", f"Too long: may not be more than {most} {what}")]
            return [Finding("FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} {what}")]

        return check

    return make


def _least(key: str, kind: type[str] | type[list[Any]] | type[dict[str, Any]], what: str) -> Callable[[Object], Check]:
    def make(schema: Object) -> Check:
        least = schema[key]
        text = f" in body should {'be' if kind is str else 'have'} at least {least} {what}"

        def check(value: Any) -> list[Finding] | None:
            if not isinstance(value, kind) or len(value) >= least:
                return None
            return _wrong(value if kind is str else len(value), text)

        return check

    return make


def _list_type(schema: Object) -> Check:
    """Sets hold each value once; maps hold each key once."""
    kind, keys = schema["x-kubernetes-list-type"], schema.get("x-kubernetes-list-map-keys") or ()
    defaults = {
        name: inner["default"]
        for name, inner in ((schema.get("items") or {}).get("properties") or {}).items()
        if "default" in inner
    }

    def identity(item: Any) -> Any:
        if kind == "set":
            return item
        if isinstance(item, dict):
            return {key: item.get(key, defaults.get(key)) for key in keys}
        return item

    def check(value: Any) -> list[Finding] | None:
        if not isinstance(value, list) or len(value) < 2:
            return None
        seen: set[str] = set()
        found: list[Finding] = []
        for index, item in enumerate(value):
            shown = _shown(identity(item))
            if shown in seen:
                found.append(Finding("FieldValueDuplicate", f"Duplicate value: {shown}", steps=(index,)))
            seen.add(shown)
        return found or None

    return check if kind in ("set", "map") else lambda _: None


_MAKERS: dict[str, Callable[[Object], Check]] = {
    "required": _required,
    "enum": _enum,
    "minimum": _bound("minimum", "exclusiveMinimum", "greater"),
    "maximum": _bound("maximum", "exclusiveMaximum", "less"),
    "multipleOf": _multiple,
    "pattern": _pattern,
    "maxLength": _most("maxLength", str, "bytes"),
    "minLength": _least("minLength", str, "chars long"),
    "maxItems": _most("maxItems", list, "items"),
    "minItems": _least("minItems", list, "items"),
    "maxProperties": _most("maxProperties", dict, "properties"),
    "minProperties": _least("minProperties", dict, "properties"),
    "x-kubernetes-list-type": _list_type,
}


def _combined(schema: Object, check_of: Callable[[Object], Check]) -> list[Check]:
    checks: list[Check] = [check_of(inner) for inner in schema.get("allOf") or ()]
    for word, holds, text in (
        ("anyOf", lambda count: count > 0, "must validate at least one schema (anyOf)"),
        ("oneOf", lambda count: count == 1, "must validate one and only one schema (oneOf)"),
    ):
        if inner := schema.get(word):
            checks.append(_counted([check_of(part) for part in inner], holds, text))
    if "not" in schema:
        checks.append(
            _counted([check_of(schema["not"])], lambda count: count == 0, "must not validate the schema (not)")
        )
    return checks


def _counted(parts: list[Check], holds: Callable[[int], bool], text: str) -> Check:
    def check(value: Any) -> list[Finding] | None:
        fitting = sum(1 for part in parts if not part(value))
        return None if holds(fitting) else [Finding(_INVALID, f"Invalid value: {_shown(value)}: ", f" {text}")]

    return check
