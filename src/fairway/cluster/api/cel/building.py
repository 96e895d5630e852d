"""From a checked tree to functions: each part becomes a closure over the frame, once, and runs many times.

Chains of plain fields become one closure, operators on known types call what does the work, and everything else
finds its overload by the kinds of its arguments when it runs. Each closure pays for itself out of the frame's budget,
by upstream's prices where upstream has one.
"""

from __future__ import annotations

from typing import Any

from fairway.cluster.api.cel import converting, looping, operators, syntax
from fairway.cluster.api.cel.failures import EvaluationError, NoSuchOverload
from fairway.cluster.api.cel.frames import Frame, Step
from fairway.cluster.api.cel.library import standard
from fairway.cluster.api.cel.library.overloads import Overload
from fairway.cluster.api.cel.values import NONE, Optional, kind_of, some

_LIST_COST, _MAP_COST, _OBJECT_COST = 10, 30, 40
_CALL = 3
"""What a call costs that collects its arguments first; upstream's unit is a third of that."""


def built(root: syntax.Node, slots: tuple[str, ...]) -> tuple[Step, int]:
    """What runs the tree, and how many values its frame holds. The first of them are the variables in `slots`."""
    builder = _Builder(slots)
    step = builder.build(root)
    return step, builder.size


class _Builder:
    def __init__(self, slots: tuple[str, ...]) -> None:
        self._scopes: list[dict[str, int]] = [{name: index for index, name in enumerate(slots)}]
        self.size = len(slots)

    def build(self, node: syntax.Node) -> Step:
        match node:
            case syntax.Literal():
                return _constant(node.value)
            case syntax.Name():
                return self._name(node)
            case syntax.Select(variable=name) if name:
                return self._name(syntax.Name(node.at, name))
            case syntax.Select():
                return self._select(node)
            case syntax.Call():
                return self._call(node)
            case syntax.ListLiteral():
                return self._list(node)
            case syntax.MapLiteral():
                return self._map(node)
            case syntax.ObjectLiteral():
                return self._object(node)
            case syntax.Macro():
                return self._macro(node)
        raise AssertionError(node)

    def _place(self, name: str) -> int | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def _name(self, node: syntax.Name) -> Step:
        place = self._place(node.name)
        if place is None:
            return _constant(standard.TYPES[node.name])

        def run(frame: Frame) -> Any:
            frame.left -= 1
            return frame.values[place]

        return run

    def _select(self, node: syntax.Select) -> Step:
        if node.type.kind == "type":
            return _constant(node.type.parameters[0])
        operand = node.operand.type
        if operand.kind == "object" and operand.fields is not None:
            declared = operand.fields[node.field]
            if node.tests:
                return _has(self.build(node.operand), declared.name)
            step = self._fields(node, declared.name)
            convert = converting.conversion(declared.type)
            step = _converted(step, convert) if convert else step
            return _made_optional(self.build(node.operand), declared.name, convert) if node.optional else step
        if operand.kind == "optional_type":
            return _chained(self.build(node.operand), _raw_name(node), tests=node.tests)
        if node.tests:
            return _holds(self.build(node.operand), node.field)
        if node.optional:
            return _chained(self.build(node.operand), node.field, tests=False)
        return _member(self.build(node.operand), node.field)

    def _fields(self, node: syntax.Select, last: str) -> Step:
        """A chain of declared fields from a variable on is one closure."""
        names, at = [last], node.operand
        while (
            isinstance(at, syntax.Select)
            and not (at.tests or at.optional)
            and at.operand.type.kind == "object"
            and at.operand.type.fields is not None
        ):
            names.insert(0, at.operand.type.fields[at.field].name)
            at = at.operand
        if isinstance(at, syntax.Name) and (place := self._place(at.name)) is not None:
            return _chain(place, tuple(names))
        return _member(self.build(node.operand), last)

    def _call(self, node: syntax.Call) -> Step:
        special = operators.SPECIAL.get(node.function)
        nodes = ([node.target] if node.target is not None else []) + node.arguments
        steps = [self.build(one) for one in nodes]
        if special is not None and (step := special(nodes, steps)) is not None:
            return step
        overloads = node.overloads
        if len(overloads) == 1 and all(one.type.kind != "dyn" for one in nodes) and _is_known(nodes):
            return _direct(overloads[0], steps)
        return _dispatched(tuple(overloads), steps)

    def _macro(self, node: syntax.Macro) -> Step:
        target = self.build(node.target)
        places = list(range(self.size, self.size + len(node.variables)))
        self.size += len(places)
        self._scopes.append(dict(zip(node.variables, places, strict=True)))
        bodies = [self.build(body) for body in node.bodies]
        self._scopes.pop()
        return looping.MACROS[node.name](target, places, bodies)

    def _list(self, node: syntax.ListLiteral) -> Step:
        if not node.optional and all(isinstance(item, syntax.Literal) for item in node.items):
            return _constant([item.value for item in node.items if isinstance(item, syntax.Literal)])
        steps = [(self.build(item), index in node.optional) for index, item in enumerate(node.items)]

        def run(frame: Frame) -> Any:
            frame.pay(_LIST_COST)
            made = []
            for step, optional in steps:
                value = step(frame)
                if optional:
                    if not isinstance(value, Optional):
                        raise NoSuchOverload
                    if not value.there:
                        continue
                    value = value.value
                made.append(value)
            return made

        return run

    def _map(self, node: syntax.MapLiteral) -> Step:
        steps = [(self.build(one.key), self.build(one.value), one.optional) for one in node.entries]

        def run(frame: Frame) -> Any:
            frame.pay(_MAP_COST)
            made: dict[Any, Any] = {}
            for key_of, value_of, optional in steps:
                key, value = key_of(frame), value_of(frame)
                if kind_of(key) not in ("string", "int", "uint", "bool"):
                    raise EvaluationError(f"unsupported key type: {kind_of(key)}")
                if optional:
                    if not value.there:
                        continue
                    value = value.value
                if key in made:
                    raise EvaluationError(f"Failed with repeated key: {standard.text_of(key)}")
                made[key] = value
            return made

        return run

    def _object(self, node: syntax.ObjectLiteral) -> Step:
        declared = node.type.fields or {}
        steps = [
            (declared[name].name if name in declared else name, self.build(value), optional)
            for _, name, value, optional in node.fields
        ]

        def run(frame: Frame) -> Any:
            frame.pay(_OBJECT_COST)
            made: dict[str, Any] = {}
            for name, step, optional in steps:
                value = step(frame)
                if optional:
                    if not value.there:
                        continue
                    value = value.value
                made[name] = value
            return made

        return run


def _raw_name(node: syntax.Select) -> str:
    inner = node.operand.type.parameters[0]
    return inner.fields[node.field].name if inner.fields and node.field in inner.fields else node.field


def _is_known(nodes: list[syntax.Node]) -> bool:
    """Whether the values are sure to be of their types: nothing inside is dynamic."""
    return not any("dyn" in str(one.type) for one in nodes)


def _constant(value: Any) -> Step:
    return lambda _: value


def _chain(place: int, names: tuple[str, ...]) -> Step:
    cost = 1 + len(names)
    if len(names) == 1:
        (only,) = names

        def single(frame: Frame) -> Any:
            frame.left -= 2
            try:
                return frame.values[place][only]
            except KeyError:
                raise EvaluationError(f"no such key: {only}") from None

        return single

    def run(frame: Frame) -> Any:
        frame.left -= cost
        value = frame.values[place]
        try:
            for name in names:
                value = value[name]
        except KeyError as missing:
            raise EvaluationError(f"no such key: {missing.args[0]}") from None
        return value

    return run


def _member(operand: Step, name: str) -> Step:
    def run(frame: Frame) -> Any:
        frame.left -= 1
        value = operand(frame)
        if value.__class__ is not dict:
            raise NoSuchOverload
        if name not in value:
            raise EvaluationError(f"no such key: {name}")
        return value[name]

    return run


def _converted(step: Step, convert: converting.Conversion) -> Step:
    def run(frame: Frame) -> Any:
        value = step(frame)
        if price := converting.price(value):
            frame.pay(price)
        return convert(value)

    return run


def _has(operand: Step, name: str) -> Step:
    """Of an object: null is as good as nothing."""

    def run(frame: Frame) -> bool:
        value = operand(frame)
        if not isinstance(value, dict):
            raise NoSuchOverload
        return value.get(name) is not None

    return run


def _holds(operand: Step, name: str) -> Step:
    def run(frame: Frame) -> bool:
        value = operand(frame)
        if value.__class__ is Optional:
            return value.there and value.value.__class__ is dict and name in value.value
        if value.__class__ is not dict:
            raise NoSuchOverload
        return name in value

    return run


def _made_optional(operand: Step, name: str, convert: converting.Conversion | None) -> Step:
    def run(frame: Frame) -> Any:
        frame.left -= 1
        value = operand(frame)
        inner = value.get(name) if value.__class__ is dict else None
        if inner is None:
            return NONE
        return some(convert(inner) if convert else inner)

    return run


def _chained(operand: Step, name: str, *, tests: bool) -> Step:
    """`optional.name`: absent where the optional is, or where what it holds has no such field."""

    def run(frame: Frame) -> Any:
        frame.left -= 1
        value = operand(frame)
        if value.__class__ is Optional:
            if not value.there:
                return False if tests else NONE
            value = value.value
        if value.__class__ is not dict:
            raise NoSuchOverload
        if tests:
            return name in value
        return some(value[name]) if name in value else NONE

    return run


def _direct(overload: Overload, steps: list[Step]) -> Step:
    work, cost = overload.work, overload.cost
    if cost is None and len(steps) == 1:
        (only,) = steps

        def single(frame: Frame) -> Any:
            frame.left -= 1
            return work(only(frame))

        return single
    if cost is None and len(steps) == 2:
        first, second = steps

        def double(frame: Frame) -> Any:
            frame.left -= 1
            return work(first(frame), second(frame))

        return double

    def run(frame: Frame) -> Any:
        arguments = [step(frame) for step in steps]
        frame.pay(_CALL + cost(*arguments) if cost else _CALL)
        return work(*arguments)

    return run


def _dispatched(overloads: tuple[Overload, ...], steps: list[Step]) -> Step:
    known: dict[tuple[type, ...], Overload] = {}

    def chosen(arguments: list[Any]) -> Overload:
        kinds = [kind_of(value) for value in arguments]
        for one in overloads:
            if one.fits(kinds):
                return one
        raise NoSuchOverload

    def run(frame: Frame) -> Any:
        arguments = [step(frame) for step in steps]
        classes = tuple([value.__class__ for value in arguments])
        one = known.get(classes)
        if one is None:
            one = known[classes] = chosen(arguments)
        frame.pay(_CALL + one.cost(*arguments) if one.cost else _CALL)
        return one.work(*arguments)

    return run
