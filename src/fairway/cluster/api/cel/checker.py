"""Types for each part of an expression, and the functions that fit; what does not fit is an issue, in upstream's words.

Comes after the parser, before `building`. It goes on after an issue, so that a user sees all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.cluster.api.cel import syntax, types
from fairway.cluster.api.cel.failures import CompileError, EvaluationError, Issue
from fairway.cluster.api.cel.library import expressions, standard, table
from fairway.cluster.api.cel.library.overloads import Overload
from fairway.cluster.api.cel.types import BOOL, DYN, ERROR, INT, Bindings, Type

_SHOWN = {"@in": "_in_"}
_LITERALS: dict[tuple[str, bool], tuple[int, str, Callable[[str], Any]]] = {
    # Functions whose constant argument is checked when the expression is compiled: which argument, with what.
    ("matches", False): (1, "matches", expressions.compiled),
    ("matches", True): (0, "matches", expressions.compiled),
    ("find", True): (0, "find", expressions.compiled),
    ("findAll", True): (0, "findAll", expressions.compiled),
    ("duration", False): (0, "duration", standard.parsed_duration),
    ("timestamp", False): (0, "timestamp", standard.parsed_timestamp),
}


@dataclass(frozen=True, slots=True)
class Environment:
    """What an expression may name: variables, and types of objects that it may make."""

    variables: Mapping[str, Type]
    objects: Mapping[str, Type] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    root: syntax.Node
    type: Type
    used: frozenset[str]
    """The variables of the environment that the expression names."""


def checked(source: str, root: syntax.Node, environment: Environment) -> Checked:
    """The tree with types. Raises CompileError."""
    checker = _Checker(environment)
    type_ = checker.visit(root)
    if checker.issues:
        raise CompileError(source, checker.issues)
    checker.settle()
    return Checked(root, checker.bindings.resolved(type_, open_as=DYN), frozenset(checker.used))


class _Checker:
    def __init__(self, environment: Environment) -> None:
        self.issues: list[Issue] = []
        self.bindings = Bindings()
        self.used: set[str] = set()
        self._environment = environment
        self._scopes: list[dict[str, Type]] = []
        self._seen: list[syntax.Node] = []
        self._functions = table.functions()

    def settle(self) -> None:
        """What is known of types at the end is put in everywhere."""
        for node in self._seen:
            node.type = self.bindings.resolved(node.type, open_as=DYN)

    def visit(self, node: syntax.Node) -> Type:
        match node:
            case syntax.Literal():
                found = node.type
            case syntax.Name():
                found = self._name(node)
            case syntax.Select():
                found = self._select(node)
            case syntax.Call():
                found = self._call(node)
            case syntax.ListLiteral():
                found = self._list(node)
            case syntax.MapLiteral():
                found = self._map(node)
            case syntax.ObjectLiteral():
                found = self._object(node)
            case syntax.Macro():
                found = self._macro(node)
            case _:
                raise AssertionError(node)
        node.type = found
        self._seen.append(node)
        return found

    def _wrong(self, at: int, message: str) -> Type:
        self.issues.append(Issue(at, message))
        return ERROR

    def _known(self, name: str) -> Type | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        if name in self._environment.variables:
            self.used.add(name)
            return self._environment.variables[name]
        if name in standard.TYPES:
            return types.type_of(standard.TYPES[name])
        return None

    def _name(self, node: syntax.Name) -> Type:
        found = self._known(node.name)
        if found is None:
            return self._wrong(node.at, f"undeclared reference to '{node.name}' (in container '')")
        return found

    def _select(self, node: syntax.Select) -> Type:
        path = _path(node)
        if path in standard.TYPES and self._known(str(path).partition(".")[0]) is None:
            return types.type_of(standard.TYPES[str(path)])
        if path in self._environment.variables and not node.tests:
            node.variable = str(path)
            self.used.add(node.variable)
            return self._environment.variables[node.variable]
        operand = self.bindings.shallow(self.visit(node.operand))
        chained = operand.kind == "optional_type"
        if chained:
            operand = self.bindings.shallow(operand.parameters[0])
        found = self._field(node, operand)
        if node.tests:
            return BOOL
        return types.optional_of(found) if (node.optional or chained) and found is not ERROR else found

    def _field(self, node: syntax.Select, operand: Type) -> Type:
        if operand.kind in ("dyn", "error"):
            return DYN
        if operand.kind == "param":
            self.bindings.assign(operand, DYN)
            return DYN
        if operand.kind == "map":
            return operand.element
        if operand.kind == "object" and operand.fields is not None:
            found = operand.fields.get(node.field)
            return found.type if found else self._wrong(node.at, f"undefined field '{node.field}'")
        return self._wrong(node.at, f"type '{operand}' does not support field selection")

    def _call(self, node: syntax.Call) -> Type:
        name, target = node.function, node.target
        if target is not None:
            path = _path(target)
            qualified = f"{path}.{name}" if path else ""
            if path in table.namespaces() and qualified in self._functions and self._known(str(path)) is None:
                node.function, node.target = qualified, None
                name, target = qualified, None
        arguments = [self.visit(one) for one in ([target] if target is not None else [])]
        arguments += [self._mixed(one) if name == "format" else self.visit(one) for one in node.arguments]
        overloads = [one for one in self._functions.get(name, ()) if one.member == (target is not None)]
        if name in ("_&&_", "_||_") and len(arguments) > 2:
            return self._junction(node, arguments)
        if not self._functions.get(name):
            return self._wrong(node.at, f"undeclared reference to '{name}' (in container '')")
        self._literal_arguments(node)
        return self._resolved(node, overloads, arguments, member=target is not None)

    def _junction(self, node: syntax.Call, arguments: list[Type]) -> Type:
        for given in arguments:
            if not self.bindings.assign(BOOL, given):
                return self._wrong(node.at, f"expected type 'bool' but found '{self.bindings.resolved(given)}'")
        return BOOL

    def _resolved(self, node: syntax.Call, overloads: list[Overload], arguments: list[Type], *, member: bool) -> Type:
        """The overloads that fit; where several do, as types are not known, the result is not known either."""
        result: Type | None = None
        for one in overloads:
            if len(one.parameters) != len(arguments):
                continue
            learnt, names = self.bindings.learnt, dict[str, Type]()
            wanted = [self.bindings.renamed(each, names) for each in one.parameters]
            if not all(self.bindings.assign(each, given) for each, given in zip(wanted, arguments, strict=True)):
                self.bindings.forget(learnt)
                continue
            node.overloads.append(one)
            found = self.bindings.resolved(self.bindings.renamed(one.result, names))
            if result is None:
                result = found
            elif result.kind != "dyn" and result != found:
                result = DYN
        if result is not None:
            return result
        if any(self.bindings.shallow(given).kind == "error" for given in arguments):
            return ERROR
        shown = [str(self.bindings.resolved(given, open_as=DYN)) for given in arguments]
        form = f"{shown[0]}.({', '.join(shown[1:])})" if member else f"({', '.join(shown)})"
        name = _SHOWN.get(node.function, node.function)
        return self._wrong(node.at, f"found no matching overload for '{name}' applied to '{form}'")

    def _literal_arguments(self, node: syntax.Call) -> None:
        rule = _LITERALS.get((node.function, node.target is not None))
        if rule is None or len(node.arguments) <= rule[0]:
            return
        position, name, parse = rule
        argument = node.arguments[position]
        if isinstance(argument, syntax.Literal) and isinstance(argument.value, str):
            try:
                parse(argument.value)
            except (ValueError, EvaluationError) as problem:
                self._wrong(argument.at, f"invalid {name} argument: {problem}")

    def _list(self, node: syntax.ListLiteral) -> Type:
        element: Type = self.bindings.fresh()
        for index, item in enumerate(node.items):
            found = self.visit(item)
            if index in node.optional:
                found = self._unwrapped(item, found)
            element = self._joined(element, found, item.at)
        return types.list_of(element)

    def _mixed(self, node: syntax.Node) -> Type:
        """What is formatted may be of several types, unlike the items of any other list."""
        if not isinstance(node, syntax.ListLiteral):
            return self.visit(node)
        for item in node.items:
            self.visit(item)
        node.type = types.list_of(DYN)
        return node.type

    def _map(self, node: syntax.MapLiteral) -> Type:
        key: Type = self.bindings.fresh()
        value: Type = self.bindings.fresh()
        for entry in node.entries:
            key = self._joined(key, self.visit(entry.key), entry.key.at)
            found = self.visit(entry.value)
            if entry.optional:
                found = self._unwrapped(entry.value, found)
            value = self._joined(value, found, entry.value.at)
        return types.map_of(key, value)

    def _unwrapped(self, node: syntax.Node, found: Type) -> Type:
        found = self.bindings.shallow(found)
        if found.kind == "optional_type":
            return found.parameters[0]
        if found.kind in ("dyn", "error"):
            return DYN
        return self._wrong(node.at, f"expected type 'optional_type' but found '{found}'")

    def _joined(self, known: Type, found: Type, at: int) -> Type:
        """All elements of a literal have one type."""
        if self.bindings.assign(known, found):
            return DYN if self.bindings.shallow(found).kind == "dyn" else known
        self._wrong(at, f"expected type '{self.bindings.resolved(known)}' but found '{self.bindings.resolved(found)}'")
        return known

    def _object(self, node: syntax.ObjectLiteral) -> Type:
        made = self._environment.objects.get(node.name)
        if made is None:
            return self._wrong(node.at, f"undeclared reference to '{node.name}' (in container '')")
        for at, name, value, optional in node.fields:
            found = self.visit(value)
            if optional:
                found = self._unwrapped(value, found)
            declared = (made.fields or {}).get(name) if made.fields is not None else types.Field(name, DYN)
            if declared is None:
                self._wrong(at, f"undefined field '{name}'")
            elif not self.bindings.assign(declared.type, found):
                shown = self.bindings.resolved(found)
                self._wrong(at, f"expected type of field '{name}' is '{declared.type}' but provided type is '{shown}'")
        return made

    def _macro(self, node: syntax.Macro) -> Type:
        target = self.bindings.shallow(self.visit(node.target))
        bound = self._bound(node, target)
        self._scopes.append(dict(zip(node.variables, bound, strict=True)))
        try:
            return _MACROS[node.name](self, node, target)
        finally:
            self._scopes.pop()

    def _bound(self, node: syntax.Macro, target: Type) -> list[Type]:
        """The types of the names that the macro binds."""
        two = len(node.variables) == 2
        if target.kind == "param":
            self.bindings.assign(target, DYN)
            target = DYN
        if target.kind in ("dyn", "error"):
            return [DYN] * len(node.variables)
        if node.name in ("optMap", "optFlatMap"):
            if target.kind == "optional_type":
                return [target.parameters[0]]
            self._wrong(node.at, f"found no matching overload for '{node.name}' applied to '{target}'")
            return [ERROR]
        if target.kind == "list":
            return [INT, target.element] if two else [target.element]
        if target.kind == "map":
            return [target.parameters[0], target.element] if two else [target.parameters[0]]
        shown = self.bindings.resolved(target)
        self._wrong(
            node.target.at,
            f"expression of type '{shown}' cannot be range of a comprehension (must be list, map, or dynamic)",
        )
        return [ERROR] * len(node.variables)

    def _condition(self, node: syntax.Node) -> None:
        found = self.visit(node)
        if not self.bindings.assign(BOOL, found):
            self._wrong(node.at, f"expected type 'bool' but found '{self.bindings.resolved(found)}'")

    def _test(self, node: syntax.Macro, _: Type) -> Type:
        self._condition(node.bodies[0])
        return BOOL

    def _filter(self, node: syntax.Macro, target: Type) -> Type:
        self._condition(node.bodies[0])
        return (
            types.list_of(self._scopes[-1][node.variables[0]])
            if target.kind != "list"
            else types.list_of(target.element)
        )

    def _listing(self, node: syntax.Macro, _: Type) -> Type:
        if len(node.bodies) == 2:
            self._condition(node.bodies[0])
        return types.list_of(self.visit(node.bodies[-1]))

    def _mapping(self, node: syntax.Macro, target: Type) -> Type:
        if len(node.bodies) == 2:
            self._condition(node.bodies[0])
        return types.map_of(self._scopes[-1][node.variables[0]], self.visit(node.bodies[-1]))

    def _entries(self, node: syntax.Macro, _: Type) -> Type:
        if len(node.bodies) == 2:
            self._condition(node.bodies[0])
        body = node.bodies[-1]
        made: Type = types.map_of(self.bindings.fresh(), self.bindings.fresh())
        found = self.visit(body)
        if not self.bindings.assign(made, found):
            return self._wrong(body.at, f"expected type 'map' but found '{self.bindings.resolved(found)}'")
        return made

    def _sorted(self, node: syntax.Macro, target: Type) -> Type:
        self.visit(node.bodies[0])
        return target

    def _opt_map(self, node: syntax.Macro, _: Type) -> Type:
        return types.optional_of(self.visit(node.bodies[0]))

    def _opt_flat_map(self, node: syntax.Macro, _: Type) -> Type:
        found = self.bindings.shallow(self.visit(node.bodies[0]))
        if found.kind not in ("optional_type", "dyn", "error", "param"):
            return self._wrong(node.bodies[0].at, f"expected type 'optional_type' but found '{found}'")
        return found


def _path(node: syntax.Node) -> str | None:
    if isinstance(node, syntax.Name):
        return node.name
    if isinstance(node, syntax.Select) and not node.tests and not node.optional:
        before = _path(node.operand)
        return f"{before}.{node.field}" if before else None
    return None


_MACROS = {
    "all": _Checker._test,
    "exists": _Checker._test,
    "exists_one": _Checker._test,
    "filter": _Checker._filter,
    "map": _Checker._listing,
    "transformList": _Checker._listing,
    "transformMap": _Checker._mapping,
    "transformMapEntry": _Checker._entries,
    "sortBy": _Checker._sorted,
    "optMap": _Checker._opt_map,
    "optFlatMap": _Checker._opt_flat_map,
}
