"""From the documents to a `Pipeline`: every reference checked, every number plain, every refusal by name.

`load` reads the components; `tasks` reads what is inside a DAG, `executors` what a leaf runs, `config` what is
asked for the pipeline as a whole, `checks` looks at the whole once all parts are there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fairway.pipelines.ir import checks, config, executors, tasks
from fairway.pipelines.ir.model import (
    MISSING,
    ArtifactSlot,
    ArtifactType,
    Component,
    InvalidPipeline,
    Parameter,
    ParameterType,
    Pipeline,
)
from fairway.pipelines.ir.reading import Node, read
from fairway.pipelines.ir.values import WrongType, fitted, plain

SCHEMA_VERSION = "2.1.0"
ROOT = "root"

_PASSED_ON = (
    "RESOURCES",
    "ENV",
    "KUBERNETES_AFFINITY",
    "KUBERNETES_TOLERATIONS",
    "KUBERNETES_NODE_SELECTOR",
    "KUBERNETES_VOLUMES",
)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,126}[a-z0-9])?")


def load(spec: Mapping[str, Any], platform: Mapping[str, Any] | None = None) -> Pipeline:
    """The pipeline of a PipelineSpec and, where there is one, its PlatformSpec. Raises InvalidPipeline."""
    document = read(spec)
    info = document.node("pipelineInfo")
    name = info.text("name")
    if not _NAME.fullmatch(name):
        raise InvalidPipeline(
            f"the pipeline's name {name!r} must be lower case letters, digits and '-', at most 128", "pipelineInfo.name"
        )
    version = document.text("schemaVersion")
    if version != SCHEMA_VERSION:
        raise InvalidPipeline(
            f"schemaVersion is {version or 'missing'}, and only {SCHEMA_VERSION} can be run; compile the pipeline with "
            "kfp 2.x",
            "schemaVersion",
        )
    kubernetes = read(platform or {}).node("platforms").node("kubernetes")
    extensions = kubernetes.node("deploymentSpec").node("executors")
    leaves = executors.load(document.node("deploymentSpec").node("executors"), extensions)
    components = {
        **{key: _component(key, node, leaves) for key, node in document.node("components").nodes()},
        ROOT: _component(ROOT, document.node("root"), leaves),
    }
    whole = config.load(kubernetes.node("pipelineConfig"))
    checks.check_workspace(components, whole)
    checks.check(components, ROOT)
    return Pipeline(
        name=name,
        display_name=info.text("displayName") or name,
        root=ROOT,
        components=components,
        default_root=document.text("defaultPipelineRoot"),
        sdk_version=document.text("sdkVersion"),
        config=whole,
    )


def _component(name: str, node: Node, leaves: Mapping[str, executors.Leaf]) -> Component:
    inputs, outputs = node.node("inputDefinitions"), node.node("outputDefinitions")
    return Component(
        name=name,
        body=_body(node, leaves),
        input_parameters={key: _parameter(entry) for key, entry in inputs.node("parameters").nodes()},
        input_artifacts={key: _artifact(entry) for key, entry in inputs.node("artifacts").nodes()},
        output_parameters={key: _parameter(entry) for key, entry in outputs.node("parameters").nodes()},
        output_artifacts={key: _artifact(entry) for key, entry in outputs.node("artifacts").nodes()},
        passed_on=_passed_on(node),
    )


def _passed_on(node: Node) -> dict[str, bool]:
    found = {}
    for entry in node.entries("taskConfigPassthroughs"):
        field = str(entry.get("field") or "")
        if field not in _PASSED_ON:
            raise node.wrong(f"a task config cannot pass on {field!r}; it can pass on {', '.join(_PASSED_ON)}")
        found[field] = bool(entry.get("applyToTask", False))
    return found


def _body(node: Node, leaves: Mapping[str, executors.Leaf]) -> Any:
    if node.has("dag"):
        return tasks.dag(node.node("dag"))
    label = node.text("executorLabel")
    if not label:
        raise node.wrong("the component has neither a dag nor an executorLabel")
    if label not in leaves:
        raise node.wrong(f"there is no executor {label!r} in deploymentSpec.executors")
    return leaves[label]


def _parameter(node: Node) -> Parameter:
    written = node.text("parameterType")
    try:
        type_ = ParameterType(written)
    except ValueError:
        raise node.wrong(f"the parameter type {written or 'missing'!r} is not known") from None
    default = plain(node.get("defaultValue")) if node.has("defaultValue") else MISSING
    if default is not MISSING and default is not None:
        try:
            default = fitted(default, type_)
        except WrongType as wrong:
            raise node.wrong(f"the default does not fit: {wrong}") from wrong
    return Parameter(
        type=type_,
        default=default,
        optional=bool(node.get("isOptional", False)),
        literals=tuple(plain(node.list("literals"))),
    )


def _artifact(node: Node) -> ArtifactSlot:
    return ArtifactSlot(
        type=artifact_type(node.node("artifactType")),
        many=bool(node.get("isArtifactList", False)),
        optional=bool(node.get("isOptional", False)),
        metadata=plain(dict(node.node("metadata").value)),
    )


def artifact_type(node: Node) -> ArtifactType:
    return ArtifactType(node.text("schemaTitle"), node.text("schemaVersion"), node.text("instanceSchema"))
