"""Upstream's corpus of compiled pipelines, as the tests see it.

It is not part of the project: $FAIRWAY_CORPORA, or shared/corpora beside the checkout, and skipped elsewhere.
"""

from __future__ import annotations

import functools
import os
import uuid
from pathlib import Path
from typing import Any

import yaml

from fairway.pipelines import ir
from fairway.pipelines.ir.model import MISSING, Container, VolumeClaim
from fairway.pipelines.render.model import Artifact
from fairway.pipelines.render.python_steps import recognised

CORPUS = Path(os.environ.get("FAIRWAY_CORPORA", Path(__file__).parents[3] / "../shared/corpora")) / "kfp/compiled/valid"

FAIL_BY_DESIGN = {
    "create_pod_metadata_complex",  # one step looks for variables that the compiled file does not set
    "failing/fail_v2",
    "failing/pipeline_with_exit_handler",
    "failing/pipeline_with_multiple_exit_handlers",
    "local_execution/local_execution_pipeline_with_ignore_upstream_failure",
    "pipeline_as_exit_task",
    "pipeline_with_task_final_status",
    "pipeline_with_task_using_ignore_upstream_failure",
}
_VALUES = {
    "STRING": "text",
    "NUMBER_INTEGER": 1,
    "NUMBER_DOUBLE": 0.5,
    "BOOLEAN": True,
    "LIST": ["a"],
    "STRUCT": {"a": "b"},
}


def names() -> list[str]:
    return sorted(str(path.relative_to(CORPUS))[: -len(".yaml")] for path in CORPUS.rglob("*.yaml"))


@functools.cache
def documents(name: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    found = list(yaml.load_all((CORPUS / f"{name}.yaml").read_text(), yaml.CSafeLoader))
    return found[0], found[1] if len(found) > 1 else None


@functools.cache
def needs_a_pod(name: str) -> bool:
    """Whether a step is anything but lightweight Python without packages, volumes and the like."""
    spec, platform = documents(name)
    try:
        pipeline = ir.load(spec, platform)
    except ir.InvalidPipeline:
        return True
    for component in pipeline.components.values():
        body = component.body
        if isinstance(body, VolumeClaim):
            return True
        if isinstance(body, Container):
            step = recognised(body.command)
            if step is None or step.requirements or body.platform:
                return True
    return False


def artifacts(pipeline: ir.Pipeline, folder: Path) -> dict[str, tuple[Artifact, ...]]:
    """A file for each artifact that the pipeline takes."""
    found = {}
    for key, slot in pipeline.entry.input_artifacts.items():
        if not slot.optional:
            (folder / f"{key}.txt").write_text(key)
            uri = f"file://{folder}/{key}.txt"
            found[key] = (Artifact(str(uuid.uuid4()), key, slot.type.title, slot.type.version, uri, {"rows": 1}),)
    return found


def values(pipeline: ir.Pipeline, folder: Path) -> dict[str, Any]:
    """A value of the right type for each input that has none; a path is a file that does not exist yet."""
    needed = {key: p for key, p in pipeline.entry.input_parameters.items() if not p.optional and p.default is MISSING}
    return {key: str(folder / "file") if key.endswith("path") else _VALUES[p.type] for key, p in needed.items()}
