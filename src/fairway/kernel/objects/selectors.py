"""Label and field selectors: from their texts and objects to a test.

>>> labels("app=web,tier in (a,b),!old")({"app": "web", "tier": "a"})
True
>>> labels("app!=web")({})
True
>>> [(t.path, t.value, t.negate) for t in fields("metadata.name=x,status.phase!=Failed,")]
[('metadata.name', 'x', False), ('status.phase', 'Failed', True)]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from fairway.kernel.objects.errors import BadRequest
from fairway.kernel.objects.kinds import Object

Test = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison of a field selector."""

    path: str
    value: str
    negate: bool


def labels(text: str) -> Test:
    """The test that a label selector's text describes. Raises BadRequest where it cannot be read."""
    tests = [_requirement(part) for part in _split(text)]
    if len(tests) == 1:  # the usual selector; lists and watches ask it for every object
        return tests[0]
    return lambda found: all(test(found) for test in tests)


def of(selector: Object | None) -> Test:
    """The test of a LabelSelector object. An empty one takes everything, a missing one nothing."""
    if selector is None:
        return lambda _: False
    exact = dict(selector.get("matchLabels") or {})
    tests = [
        _expression(e["key"], e["operator"], e.get("values") or ()) for e in selector.get("matchExpressions") or ()
    ]
    return lambda found: all(found.get(k) == v for k, v in exact.items()) and all(test(found) for test in tests)


def of_stored(selector: Object | None) -> Test:
    """The same of an object that is stored already: what cannot be read takes nothing, and stops nobody."""
    try:
        return of(selector)
    except (BadRequest, KeyError, TypeError, AttributeError):
        return lambda _: False


def widened(selector: Object | None) -> Object | None:
    """A LabelSelector object of the plain map that older kinds have in its place; what is one already stays."""
    if not selector or "matchLabels" in selector or "matchExpressions" in selector:
        return selector
    return {"matchLabels": selector}


def to_text(selector: Object | None) -> str:
    """The text of a LabelSelector object, as status.selector has it."""
    selector = selector or {}
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        key, operator, values = expression["key"], expression["operator"], ",".join(expression.get("values") or ())
        words = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append(words[operator])
    return ",".join(parts)


def fields(text: str) -> list[Term]:
    """The comparisons of a field selector's text; empty terms are skipped, as some clients end with a comma."""
    terms = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        found = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", part)
        if not found:
            raise BadRequest(f"invalid field selector {part!r}: expected path=value or path!=value")
        terms.append(Term(found[1].strip(), found[3].strip(), found[2] == "!="))
    return terms


def _split(text: str) -> Iterable[str]:
    """Cut at commas that are not inside parentheses."""
    return filter(None, (part.strip() for part in re.split(r",(?![^(]*\))", text)))


_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
# What is between the brackets is taken apart by hand: a pattern of it could be matched in very many ways.
_SET = re.compile(rf"(?P<key>{_NAME})\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_ONE = re.compile(_VALUE)
_EQUAL = re.compile(rf"(?P<key>{_NAME})\s*(?P<operator>==|!=|=)\s*(?P<value>{_VALUE})")
_ORDER = re.compile(rf"(?P<key>{_NAME})\s*(?P<operator>[<>])\s*(?P<value>-?\d+)")
_KEY = re.compile(rf"!?\s*{_NAME}")


def _requirement(part: str) -> Test:
    if found := _SET.fullmatch(part):
        values = [value.strip() for value in found["values"].split(",")]
        if wrong := next((value for value in values if not _ONE.fullmatch(value)), None):
            raise BadRequest(
                f"unable to parse requirement: values: Invalid value: {wrong!r}: it is no value of a label"
            )
        return _expression(found["key"], "In" if found["operator"] == "in" else "NotIn", values)
    if found := _EQUAL.fullmatch(part):
        return _expression(found["key"], "NotIn" if found["operator"] == "!=" else "In", (found["value"],))
    if found := _ORDER.fullmatch(part):
        return _ordered(found["key"], found["operator"], int(found["value"]))
    if _KEY.fullmatch(part):
        absent = part.startswith("!")
        return _expression(part.lstrip("! "), "DoesNotExist" if absent else "Exists", ())
    raise BadRequest(f"unable to parse requirement: found {part!r}, expected key=value, key in (a,b), key or !key")


def _expression(key: str, operator: str, values: Iterable[str]) -> Test:
    wanted = frozenset(values)
    match operator:
        case "In":
            return lambda found: found.get(key) in wanted
        case "NotIn":
            return lambda found: found.get(key) not in wanted
        case "Exists":
            return lambda found: key in found
        case "DoesNotExist":
            return lambda found: key not in found
    raise BadRequest(f"{operator!r} is not a valid label selector operator")


def _ordered(key: str, operator: str, bound: int) -> Test:
    def test(found: Mapping[str, str]) -> bool:
        value = found.get(key)
        if value is None or not re.fullmatch(r"-?\d+", value):
            return False
        return int(value) > bound if operator == ">" else int(value) < bound

    return test
