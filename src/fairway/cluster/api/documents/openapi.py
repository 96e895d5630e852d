"""OpenAPI v3: one document for each group version, and the index of them with a hash in each address.

kubectl reads these for `explain`, and to learn that a PATCH knows `fieldValidation` and `dryRun` before it applies or
creates anything. The schemas of built-in kinds are generated (`data/schemas.json`), those of custom resources
are in their definitions; the paths follow from the table of resources. Everything here is a pure function of
what is served, and so is the hash, so that a client may keep a document for as long as its address stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources as files
from typing import Any

import orjson

from fairway.cluster.api.resources import Resource
from fairway.kernel.objects.kinds import Kind, Object

_REFERENCE = "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_SUBRESOURCE_VERBS = {"get": "get", "update": "put", "patch": "patch", "create": "post"}
_ITEM_VERBS = {"get": "get", "update": "put", "patch": "patch", "delete": "delete"}
_COLLECTION_VERBS = {"list": "get", "create": "post", "deletecollection": "delete"}
_WRITING = ("post", "put", "patch")
_QUERY = {
    "dryRun": ("string", "When All, the request passes through every check and nothing is stored."),
    "fieldManager": ("string", "A name for whoever makes this change."),
    "fieldValidation": ("string", "What becomes of unknown and duplicate fields: Ignore, Warn or Strict."),
    "labelSelector": ("string", "Keeps in the list of returned objects only those whose labels match."),
    "fieldSelector": ("string", "Keeps in the list of returned objects only those whose fields match."),
    "limit": ("integer", "How many objects a page holds at most."),
    "continue": ("string", "The token of the page before."),
    "resourceVersion": ("string", "The revision from which to read or watch."),
    "watch": ("boolean", "Watch for changes to the described resources: a stream instead of a list."),
    "propagationPolicy": ("string", "What becomes of dependents: Orphan, Background or Foreground."),
    "gracePeriodSeconds": ("integer", "Seconds that the object has to end."),
}
_PARAMETERS = {
    "get": ("labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "watch"),
    "post": ("dryRun", "fieldManager", "fieldValidation"),
    "put": ("dryRun", "fieldManager", "fieldValidation"),
    "patch": ("dryRun", "fieldManager", "fieldValidation"),
    "delete": ("dryRun", "propagationPolicy", "gracePeriodSeconds"),
}
_PATCH_TYPES = ("application/merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml")
_STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Row:
    """A resource, and the openAPIV3Schema of its version where it is a custom one."""

    resource: Resource
    schema: Object | None = None


@dataclass(frozen=True, slots=True)
class Document:
    body: bytes
    etag: str


def index(rows: Iterable[Row]) -> Object:
    """The answer to /openapi/v3."""
    addresses = {
        path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={_hash(members)}"}
        for path, members in _by_group_version(rows).items()
    }
    return {"paths": addresses}


def document(rows: Iterable[Row], path: str) -> Document | None:
    """The answer to /openapi/v3/PATH, such as apis/apps/v1; None where no such group version is served."""
    members = _by_group_version(rows).get(path)
    if members is None:
        return None
    paths, schemas = whole(members)
    body = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": release()},
        "paths": paths,
        "components": {"schemas": {name: _wrapped(schemas[name]) for name in sorted(schemas)}},
    }
    return Document(orjson.dumps(body), f'"{_hash(members)}"')


def whole(rows: Iterable[Row]) -> tuple[dict[str, Object], dict[str, Object]]:
    """(paths, schemas) of the rows, each by its name."""
    rows = list(rows)
    paths: dict[str, Object] = {}
    for row in rows:
        paths |= _paths(row.resource)
    return paths, dict(_schemas_of(rows))


def definitions() -> dict[str, Object]:
    """The schemas of the built-in kinds by upstream's names; they refer to each other by `#/components/schemas/`."""
    found: dict[str, Object] = _data()["definitions"]
    return found


def release() -> str:
    """The Kubernetes release whose schemas these are, such as v1.36.0."""
    return str(_data()["release"])


@lru_cache(maxsize=1)
def _data() -> Object:
    text = files.files("fairway.cluster.api").joinpath("data", "schemas.json").read_bytes()
    data: Object = orjson.loads(text)
    return data


def _by_group_version(rows: Iterable[Row]) -> dict[str, list[Row]]:
    result: dict[str, list[Row]] = {}
    for row in rows:
        kind = row.resource.kind
        path = f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"
        result.setdefault(path, []).append(row)
    return result


def _hash(members: list[Row]) -> str:
    digest = hashlib.sha256(release().encode())
    for row in members:
        digest.update(repr(row.resource).encode())
        digest.update(orjson.dumps(row.schema))
    return digest.hexdigest()[:32].upper()


# Schemas


def _schemas_of(members: list[Row]) -> Iterator[tuple[str, Object]]:
    """What the members' paths name, and all that is reachable from there."""
    own: dict[str, Object] = {}
    for row in members:
        own |= _custom(row) if row.schema is not None else {}
        own |= _measured(row.resource) if row.resource.measured else {}
    waiting = [*own, *(name for row in members for name in _names(row.resource)), _META + "Status"]
    waiting.append(_META + "DeleteOptions")
    known, seen = definitions() | own, set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in known:
            continue
        seen.add(name)
        waiting += _references(known[name])
        yield name, known[name]


def _measured(resource: Resource) -> dict[str, Object]:
    """Upstream's documents have no schemas of what is measured: that comes from a server beside its own."""
    kind = resource.kind
    open_: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    kinds = {
        name: _gvk(kind.group, kind.version, each) for name, each in zip(_names(resource), _each(kind), strict=True)
    }
    return {name: {**open_, "x-kubernetes-group-version-kind": [gvk]} for name, gvk in kinds.items()}


def _each(kind: Kind) -> tuple[str, str]:
    return kind.kind, f"{kind.kind}List"


def _names(resource: Resource) -> Iterator[str]:
    kind = resource.kind
    yield _name(kind.group, kind.version, kind.kind)
    yield _name(kind.group, kind.version, f"{kind.kind}List")
    for sub in resource.subresources:
        yield _name(sub.group, sub.version, sub.kind)


def _name(group: str, version: str, kind: str) -> str:
    """Upstream's name of a built-in kind, or the reversed group with version and kind of a custom one."""
    known: dict[str, str] = _data()["kinds"]
    found = known.get("/".join(part for part in (group, version, kind) if part))
    return found or ".".join([*reversed(group.split(".")), version, kind])


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_REFERENCE)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _wrapped(schema: Any) -> Any:
    """Beside a reference OpenAPI reads nothing, so what is said of the field itself goes around it."""
    if isinstance(schema, list):
        return [_wrapped(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result = {word: _wrapped(value) for word, value in schema.items()}
    if len(result) > 1 and isinstance(result.get("$ref"), str):
        result["allOf"] = [{"$ref": result.pop("$ref")}]
    return result


def _custom(row: Row) -> dict[str, Object]:
    """The schema of a custom resource and of its list, with the fields that every object has."""
    kind, given = row.resource.kind, row.schema or {}
    name = _name(kind.group, kind.version, kind.kind)
    one = {
        "type": "object",
        **given,
        "properties": {
            **(given.get("properties") or {}),
            **_type_fields(),
            "metadata": _reference(_META + "ObjectMeta"),
        },
        "x-kubernetes-group-version-kind": [_gvk(kind.group, kind.version, kind.kind)],
    }
    if row.resource.selectable:
        one["x-kubernetes-selectable-fields"] = [{"fieldPath": path} for path in row.resource.selectable]
    many = {
        "type": "object",
        "description": f"{kind.kind}List is a list of {kind.kind}.",
        "required": ["items"],
        "properties": {
            **_type_fields(),
            "metadata": _reference(_META + "ListMeta"),
            "items": {"type": "array", "items": _reference(name)},
        },
        "x-kubernetes-group-version-kind": [_gvk(kind.group, kind.version, f"{kind.kind}List")],
    }
    return {name: one, f"{name}List": many}


def _type_fields() -> Object:
    return {
        "apiVersion": {"type": "string", "description": "The group and version of this object's kind."},
        "kind": {"type": "string", "description": "What this object is."},
    }


# Paths


def _paths(resource: Resource) -> dict[str, Object]:
    kind = resource.kind
    item = kind.path("{namespace}" if kind.namespaced else None, "{name}")
    collection = item.removesuffix("/{name}")
    name = _name(kind.group, kind.version, kind.kind)
    result = {
        collection: _operations(resource, _COLLECTION_VERBS, resource.verbs, name, kind.kind),
        item: _operations(resource, _ITEM_VERBS, resource.verbs, name, kind.kind),
    }
    if kind.namespaced and "list" in resource.verbs:
        result[kind.path()] = _operations(resource, {"list": "get"}, resource.verbs, name, kind.kind)
    for sub in (one for one in resource.subresources if not one.connects):
        body = _name(sub.group, sub.version, sub.kind)
        result[f"{item}/{sub.name}"] = _operations(
            resource, _SUBRESOURCE_VERBS, sub.verbs, body, sub.kind, sub.api_version
        )
    return {path: {**_path_parameters(path), **found} for path, found in result.items() if found}


def _operations(
    resource: Resource,
    methods: dict[str, str],
    verbs: tuple[str, ...],
    schema: str,
    kind: str,
    api_version: str | None = None,
) -> Object:
    group, _, version = (api_version or resource.kind.api_version).rpartition("/")
    result: Object = {}
    for verb, method in methods.items():
        if verb not in verbs:
            continue
        answer = f"{schema}List" if verb == "list" else _META + "Status" if method == "delete" else schema
        operation: Object = {
            "description": f"{verb} {resource.kind.plural}",
            "tags": [resource.kind.api_version],
            "parameters": [_parameter(name) for name in _PARAMETERS[method]],
            "responses": {
                "200": {"description": "OK", "content": {"application/json": {"schema": _reference(answer)}}}
            },
            "x-kubernetes-action": "post" if verb == "create" else "put" if verb == "update" else verb,
            "x-kubernetes-group-version-kind": _gvk(group, version, kind),
        }
        if method in _WRITING:
            operation["requestBody"] = _body(method, schema)
        result[method] = operation
    return result


def _body(method: str, schema: str) -> Object:
    if method == "patch":
        types = (*_PATCH_TYPES, _STRATEGIC) if schema in definitions() else _PATCH_TYPES
        return {"required": True, "content": {type_: {"schema": {"type": "object"}} for type_ in types}}
    return {"required": True, "content": {"*/*": {"schema": _reference(schema)}}}


def _path_parameters(path: str) -> Object:
    names = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    return {"parameters": parameters} if parameters else {}


def _parameter(name: str) -> Object:
    type_, description = _QUERY[name]
    return {"name": name, "in": "query", "description": description, "schema": {"type": type_}}


def _reference(name: str) -> Object:
    return {"$ref": _REFERENCE + name}


def _gvk(group: str, version: str, kind: str) -> Object:
    return {"group": group, "version": version, "kind": kind}
