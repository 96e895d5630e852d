"""The worst cost of an expression: its checked tree walked once, with what each part may cost and how large it may be.

Comes after the checker, where somebody asks for it. Each part is found with a path, where it is reachable from a
variable: `extents` knows how large such values are. What is computed has the size that `functions` gives it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fairway.cluster.api.cel import syntax
from fairway.cluster.api.cel.costs import functions
from fairway.cluster.api.cel.costs.extents import Extent
from fairway.cluster.api.cel.costs.functions import Operand
from fairway.cluster.api.cel.costs.sizes import ONE, UNKNOWN, Size, bounded, fixed
from fairway.cluster.api.cel.types import Type

_LIST, _MAP, _OBJECT = 10, 30, 40
_SCALARS = ("bool", "double", "duration", "int", "timestamp", "uint")
_ADDED = 12
"""What a turn costs beyond its body where it adds to a list: the list so far, a list of one, and the sum."""
_INSERTED = 2
"""The same for maps, beyond key and value."""
_WALKED_PER_TURN = {"all": 3, "exists": 4}


@dataclass(frozen=True, slots=True)
class _Entries:
    """How large the keys and values of a list or a map may be that the expression made."""

    kind: str
    key: Size
    value: Size

    def union(self, other: _Entries | None) -> _Entries | None:
        return other and _Entries(self.kind, self.key.union(other.key), self.value.union(other.value))


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of the tree."""

    cost: int
    size: Size | None = None
    """None where nobody knows."""
    path: tuple[str, ...] = ()
    entries: _Entries | None = None

    @property
    def sure(self) -> Size:
        return UNKNOWN if self.size is None else self.size


def estimate(root: syntax.Node, extent: Extent) -> int:
    """What the expression may cost at most, where `self` and `oldSelf` are as large as `extent` allows."""
    return _Estimator(extent).visit(root).cost


class _Estimator:
    def __init__(self, extent: Extent) -> None:
        self._extent = extent
        self._scopes: list[dict[str, _Part]] = []

    def visit(self, node: syntax.Node) -> _Part:
        match node:
            case syntax.Literal():
                return _Part(0, _literal_size(node.value))
            case syntax.Name():
                return self._name(node)
            case syntax.Select():
                return self._select(node)
            case syntax.Call():
                return self._call(node)
            case syntax.ListLiteral():
                return self._list(node)
            case syntax.MapLiteral():
                return self._map(node)
            case syntax.ObjectLiteral():
                return _Part(bounded(_OBJECT + sum(self.visit(value).cost for _, _, value, _ in node.fields)))
            case syntax.Macro():
                return _MACROS[node.name](self, node)
        raise AssertionError(node)

    def _size(self, path: tuple[str, ...], type_: Type) -> Size | None:
        found = self._extent.at(path)
        return ONE if found is None and _is_scalar(type_) else found

    def _name(self, node: syntax.Name) -> _Part:
        for scope in reversed(self._scopes):
            if node.name in scope:
                return self._bound(scope[node.name], node.type)
        return _Part(1, self._size((node.name,), node.type), (node.name,))

    def _bound(self, part: _Part, type_: Type) -> _Part:
        """A name of a loop, where it is used."""
        size = self._size(part.path, type_)
        return part if size is None else replace(part, size=size)

    def _select(self, node: syntax.Select) -> _Part:
        if node.variable or node.type.kind == "type":
            return self._name(syntax.Name(node.at, node.variable or node.field))
        operand = self.visit(node.operand)
        if node.tests:
            return _Part(operand.cost, ONE)
        if node.optional:
            return _Part(operand.cost + 1, self._size((), node.type))
        path = (*operand.path, node.field)
        return _Part(operand.cost + (node.operand.type.kind in ("map", "object")), self._size(path, node.type), path)

    def _call(self, node: syntax.Call) -> _Part:
        nodes = [node.target, *node.arguments] if node.target is not None else node.arguments
        parts = [self.visit(one) for one in nodes]
        total = sum(part.cost for part in parts)
        if node.function in ("_&&_", "_||_"):
            return _Part(bounded(total), ONE)
        if node.function == "_?_:_":
            return _either(parts[0].cost, parts[1], parts[2])
        if node.function == "dyn":
            return replace(parts[0], cost=bounded(total + 1), path=())
        found = self._priced(node, [self._operand(*pair) for pair in zip(nodes, parts, strict=True)], parts[0:1])
        return replace(found, cost=bounded(total + found.cost), entries=_joined_entries(node, parts))

    def _operand(self, node: syntax.Node, part: _Part) -> Operand:
        element = self._extent.at((*part.path, "@items")) if part.path and node.type.kind == "list" else None
        number = node.value if isinstance(node, syntax.Literal) and node.value.__class__ is int else None
        return Operand(node.type, part.size, UNKNOWN if element is None else element, number)

    def _priced(self, node: syntax.Call, operands: list[Operand], holder: list[_Part]) -> _Part:
        """The dearest of the overloads that may be meant."""
        cost, size = 0, None
        path: tuple[str, ...] = ()
        for overload in node.overloads:
            price = functions.price(node.function, overload, operands)
            cost = max(cost, price.cost)
            if price.size is not None:
                size = price.size if size is None else size.union(price.size)
            if node.function == "_[_]" and overload.parameters[0].kind in ("list", "map"):
                (held,) = holder
                path = (*held.path, "@items" if overload.parameters[0].kind == "list" else "@values")
                size = held.entries.value if held.entries else None
            if size is None:
                size = self._size(path, node.type)
        return _Part(cost, size, path)

    def _list(self, node: syntax.ListLiteral) -> _Part:
        parts = [self.visit(item) for item in node.items]
        entries = _Entries("list", ONE, _united(part.sure for part in parts))
        return _Part(bounded(_LIST + sum(part.cost for part in parts)), fixed(len(parts)), (), entries)

    def _map(self, node: syntax.MapLiteral) -> _Part:
        keys = [self.visit(entry.key) for entry in node.entries]
        values = [self.visit(entry.value) for entry in node.entries]
        entries = _Entries("map", _united(part.sure for part in keys), _united(part.sure for part in values))
        return _Part(bounded(_MAP + sum(part.cost for part in keys + values)), fixed(len(keys)), (), entries)

    def _bodies(self, node: syntax.Macro, bound: Iterable[_Part]) -> list[_Part]:
        self._scopes.append(dict(zip(node.variables, bound, strict=True)))
        try:
            return [self.visit(body) for body in node.bodies]
        finally:
            self._scopes.pop()

    def _turns(self, node: syntax.Macro, range_: _Part) -> list[_Part]:
        """What each turn of a loop evaluates."""
        return self._bodies(node, _steps(node, range_))

    def test(self, node: syntax.Macro) -> _Part:
        range_ = self.visit(node.target)
        (body,) = self._turns(node, range_)
        return _Part(_looped(range_, 0, body.cost + _WALKED_PER_TURN[node.name], 1), ONE)

    def count(self, node: syntax.Macro) -> _Part:
        range_ = self.visit(node.target)
        (body,) = self._turns(node, range_)
        return _Part(_looped(range_, 0, body.cost + 2, 2), ONE)

    def filter(self, node: syntax.Macro) -> _Part:
        range_ = self.visit(node.target)
        (body,) = self._turns(node, range_)
        (item,) = _steps(node, range_)
        return _listed(range_, body.cost + _ADDED + 1, self._bound(item, node.type.element))

    def listing(self, node: syntax.Macro) -> _Part:
        range_ = self.visit(node.target)
        *conditions, body = self._turns(node, range_)
        return _listed(range_, sum(one.cost for one in conditions) + _ADDED + body.cost, body)

    def mapping(self, node: syntax.Macro) -> _Part:
        range_ = self.visit(node.target)
        *conditions, body = self._turns(node, range_)
        key = 1 if node.name == "transformMap" else 0
        turn = sum(one.cost for one in conditions) + _INSERTED + key + body.cost
        return _Part(_looped(range_, _MAP, turn, 1), range_.sure)

    def sorting(self, node: syntax.Macro) -> _Part:
        range_ = self.visit(node.target)
        (body,) = self._turns(node, range_)
        keys = _listed(replace(range_, cost=1), _ADDED + body.cost, body)
        price = functions.sorted_price(Operand(node.type, keys.size), node.bodies[0].type)
        return _Part(bounded(_LIST + range_.cost + 1 + keys.cost + price.cost), price.size)

    def optional(self, node: syntax.Macro) -> _Part:
        target = self.visit(node.target)
        inner = node.target.type.parameters[0] if node.target.type.parameters else node.target.type
        (body,) = self._bodies(node, (_Part(1, self._size((), inner)),))
        flat = node.name == "optFlatMap"
        size = body.size if flat else self._size((), node.type)
        there = _Part(_LIST + target.cost + 1 + body.cost + (not flat), size)
        return replace(_either(target.cost + 1, there, _Part(1)), entries=None)


def _steps(node: syntax.Macro, range_: _Part) -> tuple[_Part, ...]:
    """What a loop puts into its names: of a list its items, of a map its keys, or both with where they are."""
    entries = range_.entries
    is_list = (entries.kind if entries else node.target.type.kind) == "list"
    sizes = (entries.key, entries.value) if entries else (None, None)
    key = _Part(1, sizes[0], (*range_.path, "@indices" if is_list else "@keys"))
    value = _Part(1, sizes[1], (*range_.path, "@items" if is_list else "@values"))
    if len(node.variables) == 2:
        return key, value
    return (value,) if is_list else (key,)


def _either(condition: int, then: _Part, otherwise: _Part) -> _Part:
    entries = then.entries and then.entries.union(otherwise.entries)
    cost = bounded(condition + max(then.cost, otherwise.cost))
    return _Part(cost, then.sure.union(otherwise.sure), (), entries)


def _joined_entries(node: syntax.Call, parts: list[_Part]) -> _Entries | None:
    if node.function != "_+_" or parts[0].entries is None:
        return None
    return parts[0].entries.union(parts[1].entries)


def _looped(range_: _Part, before: int, turn: int, after: int) -> int:
    return bounded(range_.cost + before + range_.sure.most * turn + after)


def _listed(range_: _Part, turn: int, item: _Part) -> _Part:
    """A list that is made by a loop."""
    entries = _Entries("list", ONE, Size(0, item.sure.most))
    return _Part(_looped(range_, _LIST, turn, 1), range_.sure, (), entries)


def _united(sizes: Iterable[Size]) -> Size:
    """
    >>> _united([Size(1, 2), Size(0, 1)]), _united([])
    (Size(least=0, most=2), Size(least=0, most=0))
    """
    found = list(sizes)
    return Size(min((one.least for one in found), default=0), max((one.most for one in found), default=0))


def _literal_size(value: object) -> Size:
    return fixed(len(value)) if isinstance(value, (str, bytes)) else ONE


def _is_scalar(type_: Type) -> bool:
    if type_.kind == "optional_type":
        return _is_scalar(type_.parameters[0])
    return type_.kind in _SCALARS


_MACROS = {
    "all": _Estimator.test,
    "exists": _Estimator.test,
    "exists_one": _Estimator.count,
    "filter": _Estimator.filter,
    "map": _Estimator.listing,
    "transformList": _Estimator.listing,
    "transformMap": _Estimator.mapping,
    "transformMapEntry": _Estimator.mapping,
    "sortBy": _Estimator.sorting,
    "optMap": _Estimator.optional,
    "optFlatMap": _Estimator.optional,
}
