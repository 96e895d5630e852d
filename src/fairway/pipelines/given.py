"""Artifacts that a run is given from outside, under the names of the pipeline's own artifact inputs.

A client writes an artifact's id, an address, or an address with metadata, among the parameters of the run; the API
checks them here, and the engine makes artifacts of them here. KFP has no such inputs: docs/pipelines-api.md. An address
is the same artifact in every run that is given it with the same metadata, so that the cache knows it. Reading the
records is done with a connection, the rest is pure.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from fairway.pipelines.ir.model import ArtifactSlot, Pipeline
from fairway.pipelines.ir.values import plain, text
from fairway.pipelines.render.model import Artifact
from fairway.pipelines.tables import artifacts

ANY = "system.Artifact"
_ADDRESSES = uuid.UUID("0d7a3ce6-0ad2-5d1c-9e0b-6c1a6a3f8d0e")


class CannotBeGiven(Exception):
    """What stands for an artifact is none. The text is for whoever starts the run."""


@dataclass(frozen=True)
class Reference:
    """Exactly one of `id` and `uri` is set."""

    id: str = ""
    uri: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def references(name: str, slot: ArtifactSlot, value: Any) -> list[Reference]:
    """What a client wrote under the name of an artifact input. Raises CannotBeGiven."""
    if isinstance(value, list) and slot.many:
        return [_reference(name, each) for each in value]
    return [_reference(name, value)]


def find(
    connection: Connection, pipeline: Pipeline, values: Mapping[str, Any], namespace: str, now: float
) -> dict[str, tuple[Artifact, ...]]:
    """The artifacts by input. Those that are addresses are registered. Raises CannotBeGiven."""
    found: dict[str, tuple[Artifact, ...]] = {}
    for name, slot in pipeline.entry.input_artifacts.items():
        if values.get(name) is not None:
            wanted = references(name, slot, values[name])
            found[name] = tuple(_artifact(connection, name, slot, each, namespace, now) for each in wanted)
    return found


def check(connection: Connection, pipeline: Pipeline, values: Mapping[str, Any], namespace: str) -> None:
    """Raise CannotBeGiven for an artifact that is not there, or is of another type. Registers nothing."""
    for name, slot in pipeline.entry.input_artifacts.items():
        for each in references(name, slot, values[name]) if values.get(name) is not None else ():
            if each.id:
                _known(connection, name, slot, each.id, namespace)


def _reference(name: str, value: Any) -> Reference:
    if isinstance(value, Mapping) and value.get("uri") and set(value) <= {"uri", "metadata"}:
        metadata = value.get("metadata", {})
        if isinstance(value["uri"], str) and isinstance(metadata, Mapping):
            return Reference(uri=value["uri"], metadata=plain(dict(metadata)))
    elif isinstance(value, str) and ("://" in value or value.startswith("/")):
        return Reference(uri=value)
    elif isinstance(value, str) and value:
        return Reference(id=value)
    raise CannotBeGiven(
        f"{name} is an artifact, and {text(value)} does not say which: give an artifact's id, an address such as "
        'file:///data/x, or {"uri": ..., "metadata": {...}}'
    )


def _artifact(
    connection: Connection, name: str, slot: ArtifactSlot, wanted: Reference, namespace: str, now: float
) -> Artifact:
    if wanted.id:
        return _known(connection, name, slot, wanted.id, namespace)
    uri = f"file://{wanted.uri}" if wanted.uri.startswith("/") else wanted.uri
    title = slot.type.title or slot.type.instance_schema
    identity = text([namespace, uri, title, slot.type.version, sorted(wanted.metadata.items())])
    made = Artifact(str(uuid.uuid5(_ADDRESSES, identity)), name, title, slot.type.version, uri, wanted.metadata)
    if connection.execute(select(artifacts.c.id).where(artifacts.c.id == made.id)).first() is None:
        connection.execute(
            artifacts.insert().values(
                id=made.id,
                name=name,
                type=title[:255],
                schema_version=made.version,
                uri=uri,
                metadata=dict(wanted.metadata),
                namespace=namespace,
                created_at=now,
            )
        )
    return made


def _known(connection: Connection, name: str, slot: ArtifactSlot, id_: str, namespace: str) -> Artifact:
    query = select(artifacts).where(artifacts.c.id == id_, artifacts.c.namespace == namespace)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise CannotBeGiven(f"{name}: there is no artifact {id_!r} in the namespace of the run")
    wanted = slot.type.title
    if wanted and wanted not in (ANY, row["type"]):
        raise CannotBeGiven(f"{name}: the artifact {id_!r} is a {row['type']}, and the pipeline takes a {wanted}")
    return Artifact(row["id"], row["name"], row["type"], row["schema_version"], row["uri"], dict(row["metadata"] or {}))
