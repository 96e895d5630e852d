"""An object held to its rules, beside what it was before.

A rule that speaks of what was before runs only where something was; items of a list are the same before and after
where the schema says by which keys. A rule that fails on a value that did not change is a warning, no refusal. All
rules of an object share a budget; when it is spent, no more are run and the object is refused. Pure, so that it may run
in a thread (`aside`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

import orjson

from fairway.cluster.api.cel import converting, values
from fairway.cluster.api.cel.program import PER_CALL, PER_OBJECT, EvaluationError, OutOfBudget
from fairway.cluster.api.rules.compiling import Place, Rule
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.schema_checks import Step

_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"
_LONGEST_MESSAGE = 5 * 1024
_MOST_CAUSES = 1000
"""Nobody reads more, and each takes room in the answer."""
_PLACE, _RULE = 3, 20
"""What it costs to look at a value that may have rules, and to begin a rule; upstream's prices begin inside of it."""


@dataclass(slots=True)
class Verdict:
    causes: list[Cause] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    spent: bool = False
    """The budget was not enough to know."""


def verdict(root: Place, obj: Object, old: Object | None, budget: int = PER_OBJECT) -> Verdict:
    """What the rules say of an object; `old` is what it was, None for a new one."""
    run = _Run(budget)
    with suppress(_Spent):
        run.visit(root, obj, old, (), (obj, old) if old is not None else None)
    return run.found


class _Spent(Exception):
    """The budget is gone; what was found so far stands."""


_Pair = tuple[Any, Any]
"""A value and what it was, at the nearest place where both are known."""


class _Run:
    def __init__(self, budget: int) -> None:
        self.found = Verdict()
        self._left = budget
        self._compared: tuple[_Pair, bool] | None = None

    def visit(self, place: Place, value: Any, old: Any, steps: tuple[Step, ...], pair: _Pair | None) -> None:
        if value is None:
            return
        self._left -= _PLACE
        if place.rules:
            self._rules(place, value, old, steps, pair)
        if value.__class__ is dict:
            before = old if old.__class__ is dict else {}
            for name, inner in value.items():
                child = place.properties.get(name)
                if child is not None:
                    below = _below(pair, name, before, inner)
                    self.visit(child, inner, before.get(name), (*steps, name), below)
                elif place.extra is not None:
                    below = _below(pair, name, before, inner)
                    self.visit(place.extra, inner, before.get(name), (*steps, _Key(name)), below)
        elif value.__class__ is list and place.items is not None:
            self._items(place, place.items, value, old, steps, pair)

    def _items(self, place: Place, items: Place, value: list[Any], old: Any, steps: Any, pair: _Pair | None) -> None:
        keys = place.keys
        before: dict[Any, Any] = {}
        if keys is not None and isinstance(old, list):
            before = {values.identity(item, keys): item for item in old}
        for index, item in enumerate(value):
            was = before.get(values.identity(item, keys)) if before and keys is not None else None
            self.visit(items, item, was, (*steps, index), pair if was is None else (item, was))

    def _rules(self, place: Place, value: Any, old: Any, steps: tuple[Step, ...], pair: _Pair | None) -> None:
        convert = place.convert
        if convert:
            self._left -= converting.price(value)
        try:
            current = convert(value) if convert else value
            previous = convert(old) if convert and old is not None else old
        except EvaluationError as problem:
            self._refuse(steps, f"{_kind_shown(place)}: {problem}")
            return
        for rule in place.rules:
            if rule.transition and old is None and not rule.optional_old:
                continue
            before = previous
            if rule.optional_old:
                before = values.NONE if previous is None else values.some(previous)
            variables = {"self": current, "oldSelf": before}
            if self._holds(place, rule, variables, steps):
                continue
            self._blame(place, rule, variables, value, steps, pair)

    def _holds(self, place: Place, rule: Rule, variables: Object, steps: tuple[Step, ...]) -> bool:
        """Whether the rule is true; where it has no value, that is a refusal of its own."""
        self._left -= _RULE
        if self._left <= 0:
            self._refuse(steps, f"{_kind_shown(place)}: {_OUT_OF_BUDGET}")
            self._end()
        try:
            result = rule.program.evaluate(variables, min(PER_CALL, self._left))
        except OutOfBudget as problem:
            text = _OUT_OF_BUDGET
            if self._left >= PER_CALL:
                why = "no further validation rules will be run due to call cost exceeds limit for rule"
                text = f"'{problem}': {why}: {rule.message or rule.text}"
            self._refuse(steps, f"{_kind_shown(place)}: {text}")
            self._end()
        except EvaluationError as problem:
            self._left -= problem.cost
            text = f"{problem} evaluating rule: {rule.message or rule.text}"
            if str(problem).startswith("no such overload"):
                why = "call arguments did not match a supported operator, function or macro signature for rule"
                text = f"'{problem}': {why}: {rule.message or rule.text}"
            self._refuse(steps, f"{_kind_shown(place)}: {text}")
            return True
        self._left -= result.cost
        return result.value is True

    def _end(self) -> NoReturn:
        self.found.spent = True
        raise _Spent from None

    def _blame(
        self, place: Place, rule: Rule, variables: Object, value: Any, steps: tuple[Step, ...], pair: _Pair | None
    ) -> None:
        detail = self._message(rule, variables) or rule.message or f"failed rule: {rule.text}"
        field_ = shown_path(steps)
        if rule.path:
            field_ = f"{field_}.{rule.path}" if steps else rule.path
        shown = None if place.kind in ("object", "array") else _shown(value)
        cause = _cause(field_, rule.reason, shown, detail)
        if not rule.transition and pair is not None and self._unchanged(pair):
            self.found.warnings.append(f"{cause.field}: {cause.message}")
        else:
            self._found(cause)

    def _unchanged(self, pair: _Pair) -> bool:
        """The items of one list have the same pair, which is compared once."""
        if self._compared is None or self._compared[0] is not pair:
            self._compared = pair, bool(pair[0] == pair[1])
        return self._compared[1]

    def _message(self, rule: Rule, variables: Object) -> str:
        if rule.message_program is None:
            return ""
        try:
            result = rule.message_program.evaluate(variables, min(PER_CALL, max(self._left, 0)))
        except OutOfBudget:
            self._left, self.found.spent = 0, True
            return ""
        except EvaluationError as problem:
            self._left -= problem.cost
            return ""
        self._left -= result.cost
        text = result.value.strip() if isinstance(result.value, str) else ""
        return "" if "\n" in text or len(text.encode()) > _LONGEST_MESSAGE else text

    def _refuse(self, steps: tuple[Step, ...], text: str) -> None:
        self._found(Cause(shown_path(steps), f"Invalid value: {text}"))

    def _found(self, cause: Cause) -> None:
        self.found.causes.append(cause)
        if len(self.found.causes) >= _MOST_CAUSES:
            raise _Spent


class _Key(str):
    """A key of a map, which paths show in brackets."""


def shown_path(steps: tuple[Step, ...]) -> str:
    """
    >>> shown_path(("spec", "parts", 0, "labels", _Key("app"))), shown_path(())
    ('spec.parts[0].labels[app]', '<nil>')
    """
    text = ""
    for step in steps:
        if isinstance(step, (int, _Key)):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text or "<nil>"


def _below(pair: _Pair | None, name: str, before: Any, inner: Any) -> _Pair | None:
    """The pair of a field: its own where it was there before, else that of what holds it."""
    return (inner, before[name]) if name in before else pair


def _kind_shown(place: Place) -> str:
    return f'"{place.kind}"'


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()


def _cause(field_: str, reason: str, shown: str | None, detail: str) -> Cause:
    if reason == "FieldValueForbidden":
        return Cause(field_, f"Forbidden: {detail}", reason)
    if reason == "FieldValueRequired":
        return Cause(field_, f"Required value: {detail}", reason)
    if reason == "FieldValueDuplicate":
        return Cause(field_, f"Duplicate value: {shown}" if shown else "Duplicate value", reason)
    return Cause(field_, f"Invalid value: {shown}: {detail}" if shown else f"Invalid value: {detail}")
