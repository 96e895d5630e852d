"""Compiled pipelines as the API takes them, for `templating`, which imports this when it is needed: YAML is large."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml

from fairway.pipelines.sdk.failures import NO_KFP, Failure, said


def documents(pipeline: Any) -> dict[str, Any]:
    """The field `pipeline_spec` of a request, for a pipeline function or the path of compiled YAML. Raises Failure."""
    if isinstance(pipeline, Path):
        return _read(pipeline)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipeline.yaml"
        compile_to(file, pipeline)
        return _read(file)


def compile_to(file: Path, pipeline: Any) -> None:
    """Compile a pipeline function. Raises Failure."""
    try:
        from kfp import compiler  # noqa: PLC0415 - an optional dependency
    except ImportError as missing:
        raise Failure(NO_KFP) from missing
    try:
        compiler.Compiler().compile(pipeline, str(file))
    except Exception as wrong:  # of many kinds, and about the author's code
        name = getattr(pipeline, "name", pipeline)
        raise Failure(f"{name} is not a pipeline that can be compiled: {said(wrong)}") from wrong


def _read(path: Path) -> dict[str, Any]:
    if path.suffix not in (".yaml", ".yml"):
        raise Failure(f"{path.name} is packed: unpack it, or upload it and give the pipeline's name")
    try:
        found = [document for document in yaml.safe_load_all(path.read_text()) if document]
    except (OSError, ValueError, yaml.YAMLError) as wrong:
        raise Failure(f"{path} cannot be read: {said(wrong)}") from wrong
    if not found or not all(isinstance(document, dict) for document in found):
        raise Failure(f"{path} holds no compiled pipeline")
    spec = next((document for document in found if "pipelineInfo" in document), found[0])
    others = [document for document in found if document is not spec]
    return {"pipeline_spec": spec, "platform_spec": others[0]} if others else spec
