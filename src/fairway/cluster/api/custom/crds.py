"""Custom resources: from a CustomResourceDefinition to what the registry serves.

A definition is established in the same step that stores it: its status says so, and the next request is
answered. Objects are stored in the definition's storage version, or in an earlier one for as long as nobody has
written them since; every served version shows them all. Versions differ in their schema and apiVersion only (strategy
None), or a webhook makes one of the other (`conversion`). Which names are accepted is in `crd_names`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache

from fairway.cluster.api import patches
from fairway.cluster.api.custom import crd_names
from fairway.cluster.api.documents import builtin_schemas
from fairway.cluster.api.registry import Conversion, Served, View
from fairway.cluster.api.resources import ALL, Resource, Subresource
from fairway.cluster.api.rules import compiling
from fairway.cluster.api.strategies import Strategy
from fairway.cluster.store.protocol import Key
from fairway.kernel.feature import Identity
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import CRD, Kind, Object
from fairway.kernel.objects.schemas import Schema

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that keeps a definition until its objects are gone."""

CLEANER = Identity("system:apiserver", ("system:masters",))
"""In whose name the objects of a deleted definition go."""


def key(name: str) -> Key:
    return Key(CRD.resource, "", name)


def established(definition: Object, others: Iterable[Object], now: str) -> Object:
    """The definition with names filled in and a status that says whether it is served, and why not."""
    spec = definition["spec"]
    names, conflict = crd_names.accepted(definition, others)
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    status = definition.get("status") or {}
    stored = list(status.get("storedVersions") or ())
    free = conflict is crd_names.NONE
    wanted = [("NamesAccepted", free, *conflict)]
    if free:
        wanted.append(("Established", True, "InitialNamesAccepted", "the initial names have been accepted"))
    elif not conditions.is_true(definition, "Established"):
        wanted.append(("Established", False, "NotAccepted", "not all names are accepted"))
    new_status = {
        "conditions": conditions.merged(status.get("conditions"), now, *wanted),
        "acceptedNames": names,
        "storedVersions": stored if storage in stored else [*stored, storage],
    }
    return {**definition, "spec": {**spec, "names": crd_names.requested(definition)}, "status": new_status}


def serve(definition: Object) -> tuple[Served, ...]:
    """One entry for each served version; none where the definition's names are another's."""
    if not conditions.is_true(definition, "Established"):
        return ()
    versions = definition["spec"]["versions"]
    stored = next(version for version in versions if version.get("storage"))
    storage = _kind(definition, stored)
    schemas = {_kind(definition, version).api_version: _schema(version) for version in versions}
    return tuple(_version(definition, version, storage, schemas) for version in versions if version.get("served"))


def _kind(definition: Object, version: Object) -> Kind:
    spec = definition["spec"]
    return Kind(
        spec["group"], version["name"], spec["names"]["kind"], spec["names"]["plural"], spec["scope"] == "Namespaced"
    )


def _schema(version: Object) -> Callable[[], Schema]:
    return cache(lambda: Schema(_with_resource_fields(_document(version))))


def _document(version: Object) -> Object:
    document: Object = version["schema"]["openAPIV3Schema"]
    return document


def _version(definition: Object, version: Object, storage: Kind, schemas: Mapping[str, Callable[[], Schema]]) -> Served:
    kind, own = _kind(definition, version), definition["status"]["acceptedNames"]
    parts = version.get("subresources") or {}
    subresources = []
    if "status" in parts:
        subresources.append(Subresource("status", kind.kind, kind.group, kind.version))
    if "scale" in parts:
        subresources.append(Subresource("scale", "Scale", "autoscaling", "v1"))
    row = Resource(
        kind=kind,
        singular=own.get("singular") or kind.kind.lower(),
        storage=storage,
        short_names=tuple(own.get("shortNames") or ()),
        categories=tuple(own.get("categories") or ()),
        verbs=ALL,
        subresources=tuple(subresources),
        selectable=tuple(field["jsonPath"].lstrip(".") for field in version.get("selectableFields") or ()),
    )
    strategy = _strategy(_document(version), row, schemas[kind.api_version])
    served = Served(row, strategy, definition=definition, deprecation=_deprecation(version, kind))
    # Objects that nobody has written since may lack what the schema has come to fill in.
    completes = definition["metadata"].get("generation", 1) > 1
    conversion = definition["spec"].get("conversion") or {}
    if conversion.get("strategy") == "Webhook":
        return replace(served, conversion=Conversion(conversion["webhook"]["clientConfig"], schemas, completes))
    # Objects that nobody has written since the storage version changed are still in the one before.
    if definition["status"]["storedVersions"] != [kind.version]:
        served = replace(served, to_view=_as_version(kind.api_version))
    if completes:
        served = replace(served, to_view=_with_defaults(schemas[kind.api_version], served.to_view))
    if kind.version != storage.version:
        served = replace(served, to_stored=_as_version(storage.api_version))
    return served


def _deprecation(version: Object, kind: Kind) -> str:
    """What whoever uses a deprecated version is warned of."""
    if not version.get("deprecated"):
        return ""
    return str(version.get("deprecationWarning") or f"{kind.api_version} {kind.kind} is deprecated")


def _as_version(api_version: str) -> View:
    return lambda obj: obj if obj.get("apiVersion") == api_version else {**obj, "apiVersion": api_version}


def _with_defaults(schema: Callable[[], Schema], view: View | None) -> View:
    return lambda obj: complete(schema(), view(obj) if view else obj)


def complete(schema: Schema, obj: Object) -> Object:
    """The object with what its schema fills in; itself where it lacks nothing."""
    if not schema.lacks(obj):
        return obj
    full: Object = patches.copied(obj)
    schema.default(full)
    return full


def _strategy(document: Object, row: Resource, schema: Callable[[], Schema]) -> Strategy:
    return Strategy(
        status=row.has_status,
        custom=True,
        schema=schema,
        document=document,
        rules=cache(lambda: compiling.places(document)),
        topology=lambda: builtin_schemas.custom_topology(document),
        default=lambda obj: schema().default(obj),
        revision_required=True,
    )


def _with_resource_fields(document: Object) -> Object:
    """apiVersion, kind and metadata are there whatever the schema says; metadata has rules of its own."""
    properties = {**(document.get("properties") or {}), "metadata": {}}
    properties |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    return {**document, "properties": properties}


def is_definition(served: Served) -> bool:
    return served.label == CRD.resource
