"""Custom resources: from a CustomResourceDefinition to what the registry serves.

A definition is established in the same step that stores it: its status says so, and the next request is
answered. Objects are stored in the definition's storage version, or in an earlier one for as long as nobody has
written them since; every served version shows them all. Versions differ in their schema and apiVersion only (strategy
None), or a webhook makes one of the other (`conversion`). Which names are accepted is in `crd_names`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from fairway.cluster.api import patches
from fairway.cluster.api.custom import crd_names
from fairway.cluster.api.documents import builtin_schemas
from fairway.cluster.api.registry import Served, View
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
    return tuple(_version(definition, version, storage) for version in versions if version.get("served"))


def _kind(definition: Object, version: Object) -> Kind:
    spec = definition["spec"]
    return Kind(
        spec["group"], version["name"], spec["names"]["kind"], spec["names"]["plural"], spec["scope"] == "Namespaced"
    )


def _version(definition: Object, version: Object, storage: Kind) -> Served:
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
    served = Served(row, _strategy(version, row), definition=definition, deprecation=_deprecation(version, kind))
    conversion = definition["spec"].get("conversion") or {}
    if conversion.get("strategy") == "Webhook":
        return replace(served, conversion=conversion["webhook"]["clientConfig"])
    # Objects that nobody has written since the storage version changed are still in the one before.
    if definition["status"]["storedVersions"] != [kind.version]:
        served = replace(served, to_view=_as_version(kind.api_version))
    if definition["metadata"].get("generation", 1) > 1:
        # Objects that nobody has written since may lack what the schema has come to fill in.
        served = replace(served, to_view=_with_defaults(served.strategy, served.to_view))
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


def _with_defaults(strategy: Strategy, view: View | None) -> View:
    def complete(obj: Object) -> Object:
        shown = view(obj) if view else obj
        schema = strategy.schema()
        if schema is None or not schema.lacks(shown):
            return shown
        full: Object = patches.copied(shown)
        schema.default(full)
        return full

    return complete


def _strategy(version: Object, row: Resource) -> Strategy:
    document = version["schema"]["openAPIV3Schema"]
    schema = cache(lambda: Schema(_with_resource_fields(document)))
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
