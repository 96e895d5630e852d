"""Schemas, compiled: what an OpenAPI v3 schema prunes, defaults and refuses, as Kubernetes does it.

The API compiles the schema of each kind once (`Schema`) and then, for each object, prunes, defaults and
checks, in that order. The functions work in place on an object that the caller owns. The checks of single values
are in `schema_checks`; whether a schema may be used for a custom resource at all is in `structural`. Rules in CEL
(x-kubernetes-validations) are the API's own affair.

>>> schema = Schema({"type": "object", "properties": {"size": {"type": "integer", "default": 1, "minimum": 1}}})
>>> obj = {"colour": "red"}
>>> schema.prune(obj), schema.default(obj), obj
(['colour'], None, {'size': 1})
>>> [f"{cause.field}: {cause.message}" for cause in schema.check({"size": 0})]
['size: Invalid value: 0: size in body should be greater than or equal to 1']
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.schema_checks import Check, Finding, Step, embedded, plain_class, value_checks

_INT_OR_STRING = "x-kubernetes-int-or-string"
_LIST_TYPE = "x-kubernetes-list-type"
_RESOURCE_FIELDS = ("apiVersion", "kind", "metadata")


class Schema:
    """One compiled schema. `definitions` are what its `$ref`s name, by the last part of the reference.

    `lenient` is for the schemas of built-in kinds, in which an object without properties is anything.
    """

    def __init__(self, root: Object, definitions: Mapping[str, Object] | None = None, *, lenient: bool = False) -> None:
        compiler = _Compiler(definitions or {}, lenient)
        self._root = compiler.node(root)
        compiler.finish()

    def prune(self, value: Any) -> list[str]:
        """Remove what the schema does not name; gives the paths of what was removed."""
        removed: list[tuple[Step, ...]] = []
        _prune(self._root, value, (), removed)
        return [path_text(steps) for steps in removed]

    def default(self, value: Any) -> None:
        """Fill in what is missing and has a default."""
        _default(self._root, value)

    def lacks(self, value: Any) -> bool:
        """Whether `default` would fill in anything."""
        return _lacks(self._root, value)

    def check(self, value: Any, *, at: tuple[Step, ...] = ()) -> list[Cause]:
        """What is wrong with the value, in upstream's words. `at` is where the value lies in its object."""
        return [finding.cause(path_text((*at, *finding.steps))) for finding in self.findings(value)]

    def findings(self, value: Any) -> list[Finding]:
        """What is wrong with the value, by where it lies in it."""
        return self._root.check(value) or []

    def field(self, name: str) -> Schema | None:
        """The schema of one property."""
        node = self._root.properties.get(name)
        if node is None:
            return None
        schema = Schema.__new__(Schema)
        schema._root = node
        return schema


def path_text(steps: tuple[Step, ...] | list[Step]) -> str:
    """
    >>> path_text(("spec", "containers", 0, "image"))
    'spec.containers[0].image'
    """
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


class _Node:
    """One place of the schema. Filled after it is made, because schemas may name themselves."""

    __slots__ = (
        "check",
        "checks",
        "defaults",
        "extra",
        "fills",
        "items",
        "keeps",
        "nullable",
        "plain",
        "properties",
        "resource",
    )

    def __init__(self) -> None:
        self.properties: dict[str, _Node] = {}
        self.extra: _Node | None = None  # additionalProperties
        self.items: _Node | None = None
        self.keeps = False  # unknown fields stay
        self.resource = False  # has apiVersion, kind and metadata of its own
        self.defaults: list[tuple[str, Any]] = []
        self.fills = False  # something below has a default
        self.nullable: frozenset[str] = frozenset()  # properties in which null is a value, not an absence
        self.checks: list[Check] = []
        self.plain: type | None = None  # a value of exactly this class needs no check
        self.check: Check = self._all
        """None where all is well, which costs no allocation."""

    def settle(self) -> None:
        """Most places have one check: then that is the whole of it."""
        if len(self.checks) == 1:
            self.check = self.checks[0]

    def _all(self, value: Any) -> list[Finding] | None:
        found: list[Finding] | None = None
        for check in self.checks:
            if more := check(value):
                found = found + more if found else more
        return found

    def children(self) -> Iterator[_Node]:
        yield from self.properties.values()
        if self.extra:
            yield self.extra
        if self.items:
            yield self.items


class _Compiler:
    def __init__(self, definitions: Mapping[str, Object], lenient: bool) -> None:
        self._definitions, self._lenient = definitions, lenient
        self._named: dict[str, _Node] = {}
        self._nodes: list[_Node] = []

    def node(self, schema: Object) -> _Node:
        if reference := schema.get("$ref"):
            return self._reference(reference.rpartition("/")[2])
        node = _Node()
        self._fill(node, schema)
        return node

    def _reference(self, name: str) -> _Node:
        if (known := self._named.get(name)) is not None:
            return known
        node = self._named[name] = _Node()
        definition = self._definitions.get(name, {})
        while set(definition) == {"$ref"}:
            definition = self._definitions.get(definition["$ref"].rpartition("/")[2], {})
        self._fill(node, definition)
        return node

    def _fill(self, node: _Node, schema: Object) -> None:
        self._nodes.append(node)
        properties = schema.get("properties") or {}
        # A reference may carry a default beside it, as built-in schemas have it: allOf [$ref].
        for part in schema.get("allOf") or ():
            if set(part) == {"$ref"}:
                referenced = self._definitions.get(part["$ref"].rpartition("/")[2], {})
                schema = {**referenced, **{key: value for key, value in schema.items() if key != "allOf"}}
                properties = schema.get("properties") or {}
        node.properties = {name: self.node(inner) for name, inner in properties.items()}
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            node.extra = self.node(extra)
        if isinstance(schema.get("items"), dict):
            node.items = self.node(schema["items"])
        node.keeps = (
            schema.get("x-kubernetes-preserve-unknown-fields") is True
            or extra is True
            or "type" not in schema
            or (self._lenient and not properties and node.extra is None)
        )
        node.resource = schema.get("x-kubernetes-embedded-resource") is True
        node.defaults = [(name, inner["default"]) for name, inner in properties.items() if "default" in inner]
        node.nullable = frozenset(name for name, inner in properties.items() if self._may_be_null(inner))
        checked = schema
        if self._lenient:
            # Upstream merges built-in lists by their keys, but does not check that the keys are there once; and what
            # is base64 in a built-in kind, the checks of that kind say better.
            byte = schema.get("format") == "byte"
            checked = {
                key: value for key, value in schema.items() if key != _LIST_TYPE and not (byte and key == "format")
            }
        node.checks = value_checks(checked, self._check_of)
        if len(node.checks) == 1 and not (node.properties or node.extra or node.items or node.resource):
            node.plain = plain_class(checked)
        if node.resource:
            node.checks.append(embedded)
        node.checks += _children_checks(node)

    def _may_be_null(self, schema: Object) -> bool:
        return bool(schema.get("nullable")) or not (schema.keys() & {"type", "$ref", "allOf", _INT_OR_STRING})

    def _check_of(self, schema: Object) -> Check:
        node = self.node(schema)
        return lambda value: node.check(value)

    def finish(self) -> None:
        """Mark the places below which something has a default: only those are walked."""
        for node in self._nodes:
            node.settle()
        changed = True
        while changed:
            changed = False
            for node in self._nodes:
                if not node.fills and (node.defaults or any(child.fills for child in node.children())):
                    node.fills = changed = True


def _children_checks(node: _Node) -> list[Check]:
    checks: list[Check] = []
    properties, extra, items, nullable = node.properties, node.extra, node.items, node.nullable

    if properties or extra:

        def members(value: Any) -> list[Finding] | None:
            if not isinstance(value, dict):
                return None
            found: list[Finding] | None = None
            for name, inner in value.items():
                child = properties.get(name) or extra
                if child is None or inner.__class__ is child.plain or (inner is None and name in nullable):
                    continue
                if more := child.check(inner):
                    found = (found or []) + [finding.under(name) for finding in more]
            return found

        checks.append(members)

    if items:

        def elements(value: Any) -> list[Finding] | None:
            if not isinstance(value, list):
                return None
            found: list[Finding] | None = None
            for index, inner in enumerate(value):
                if inner.__class__ is not items.plain and (more := items.check(inner)):
                    found = (found or []) + [finding.under(index) for finding in more]
            return found

        checks.append(elements)
    return checks


def _prune(node: _Node, value: Any, steps: tuple[Step, ...], removed: list[tuple[Step, ...]]) -> None:
    if isinstance(value, dict):
        properties, extra, keeps = node.properties, node.extra, node.keeps
        for name in tuple(value):
            inner = value[name]
            child = properties.get(name) or extra
            if child is not None:
                if isinstance(inner, (dict, list)):
                    _prune(child, inner, (*steps, name), removed)
                elif inner is None and name in properties and name not in node.nullable:
                    del value[name]  # null says that there is nothing, as Go's clients write it
            elif not keeps and not (node.resource and name in _RESOURCE_FIELDS):
                del value[name]
                removed.append((*steps, name))
    elif isinstance(value, list) and node.items is not None:
        for index, inner in enumerate(value):
            if isinstance(inner, (dict, list)):
                _prune(node.items, inner, (*steps, index), removed)


def _default(node: _Node, value: Any) -> None:
    if isinstance(value, dict):
        for name, default in node.defaults:
            if value.get(name) is None and not (name in value and name in node.nullable):
                value[name] = copy.deepcopy(default) if isinstance(default, (dict, list)) else default
        for name, inner in value.items():
            child = node.properties.get(name) or node.extra
            if child is not None and child.fills:
                _default(child, inner)
    elif isinstance(value, list) and node.items is not None and node.items.fills:
        for inner in value:
            _default(node.items, inner)


def _lacks(node: _Node, value: Any) -> bool:
    if isinstance(value, dict):
        for name, _ in node.defaults:
            if value.get(name) is None and not (name in value and name in node.nullable):
                return True
        below = ((node.properties.get(name) or node.extra, inner) for name, inner in value.items())
        return any(child is not None and child.fills and _lacks(child, inner) for child, inner in below)
    if isinstance(value, list) and node.items is not None and node.items.fills:
        return any(_lacks(node.items, inner) for inner in value)
    return False
