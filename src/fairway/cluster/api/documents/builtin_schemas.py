"""The schemas of built-in kinds, compiled from upstream's definitions when a kind is first written.

The definitions are generated when Fairway is built; `openapi` reads them once and publishes them, too.
"""

from __future__ import annotations

from functools import lru_cache

from fairway.cluster.api.documents import openapi
from fairway.kernel.objects.amounts import Amounts
from fairway.kernel.objects.kinds import Kind, Object
from fairway.kernel.objects.schemas import Schema
from fairway.kernel.objects.topology import Place

_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def of(kind: Kind) -> Schema | None:
    """None where upstream has no schema of the kind."""
    return _compiled(kind.group, kind.version, kind.kind)


@lru_cache(maxsize=256)
def topology(kind: Kind) -> Place:
    """How objects of the kind are merged. Where upstream has no schema of it, nothing is known."""
    definition = _definition(kind.group, kind.version, kind.kind)
    return Place(definition or {}, _with_key_defaults(), known=definition is not None)


def amounts(kind: Kind) -> Amounts | None:
    """Where objects of the kind have quantities. None where they have none."""
    definition = _definition(kind.group, kind.version, kind.kind)
    return Amounts.of(definition, openapi.definitions(), _QUANTITY) if definition else None


@lru_cache(maxsize=1)
def _with_key_defaults() -> dict[str, Object]:
    """Ports are told apart by their protocol too, which upstream's schemas give no default in these documents."""
    definitions = dict(openapi.definitions())
    for name in ("io.k8s.api.core.v1.ContainerPort", "io.k8s.api.core.v1.ServicePort"):
        properties = definitions[name]["properties"]
        protocol = {**properties["protocol"], "default": "TCP"}
        definitions[name] = {**definitions[name], "properties": {**properties, "protocol": protocol}}
    return definitions


def custom_topology(schema: Object) -> Place:
    """The same for a custom resource; its metadata is merged as everybody's."""
    metadata = {"$ref": "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    return Place(
        {**schema, "properties": {**(schema.get("properties") or {}), "metadata": metadata}}, openapi.definitions()
    )


@lru_cache(maxsize=256)
def _compiled(group: str, version: str, kind: str) -> Schema | None:
    definition = _definition(group, version, kind)
    if definition is None:
        return None
    # Metadata has rules of its own (objectmeta).
    properties = {key: value for key, value in definition["properties"].items() if key != "metadata"}
    return Schema({**definition, "properties": {**properties, "metadata": {}}}, _definitions(), lenient=True)


def _definition(group: str, version: str, kind: str) -> Object | None:
    wanted = {"group": group, "version": version, "kind": kind}
    found = (one for one in _definitions().values() if wanted in (one.get("x-kubernetes-group-version-kind") or ()))
    return next(found, None)


@lru_cache(maxsize=1)
def _definitions() -> dict[str, Object]:
    # Clients write quantities as numbers too (cpu: 1, cpu: 0.5), which upstream's documents do not say.
    return {**openapi.definitions(), _QUANTITY: {"anyOf": [{"type": "string"}, {"type": "number"}]}}
