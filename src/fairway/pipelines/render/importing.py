"""Importers: artifacts whose bytes lie elsewhere already. Their address and metadata, and the copy in the workspace.

An importer needs no pod, unless it is to bring the bytes to the workspace: then it is a step like any other, with a
task folder that says what to fetch, and its artifact knows where the copy is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fairway.pipelines import far, ir
from fairway.pipelines.ir.model import Container, Importer, Resources, Value
from fairway.pipelines.ir.values import plain, text
from fairway.pipelines.placeholders import Scene
from fairway.pipelines.render import folders, inputs, outputs, workspaces
from fairway.pipelines.render.model import Instance, RunFacts, Values

CONTAINER = Container("fairway/importer", (), (), (), Resources({}, {}), {})
"""What runs where the bytes are fetched."""


def source(instance: Instance) -> tuple[str, Any]:
    """The address and the metadata."""
    importer = _importer(instance)
    given = {"inputs": {"parameterValues": instance.inputs.parameters}}
    scene = Scene(given, defaults=inputs.defaults(instance.component))
    written = f"{{{{$.inputs.parameters['{importer.uri}']}}}}" if importer.uri_is_parameter else importer.uri
    return text(scene.value(written)), scene.value(plain(dict(importer.metadata)))


def made(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> Values:
    importer = _importer(instance)
    uri, metadata = source(instance)
    result = Values()
    for key in instance.component.output_artifacts:
        artifact = outputs.artifact(instance, key, importer.type, uri, {"metadata": metadata})
        result.artifacts[key] = (artifact,)
    return copied(pipeline, run, instance, result)


def copied(pipeline: ir.Pipeline, run: RunFacts, instance: Instance, values: Values) -> Values:
    """The artifacts with the places of their copies, which are in no record: they follow from the rest."""
    if not isinstance(instance.component.body, Importer) or not instance.component.body.download:
        return values
    there = {
        key: tuple(replace(item, copy=workspaces.copy(pipeline, run, item)) for item in items)
        for key, items in values.artifacts.items()
    }
    return Values(values.parameters, there)


def fetch(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> dict[str, Value]:
    """What the task folder says of the bytes to bring."""
    folder = folders.path(folders.address(pipeline, run, instance))
    found = {key: items[0] for key, items in made(pipeline, run, instance).artifacts.items()}
    return {
        key: {"from": folders.copy(folder, item) if far.is_far(item.uri) else item.uri, "to": item.copy}
        for key, item in found.items()
    }


def _importer(instance: Instance) -> Importer:
    assert isinstance(instance.component.body, Importer)
    return instance.component.body
