"""Upstream's own compiled pipelines, those made of lightweight Python components only, played to their end.

The corpus is not part of the project: $FAIRWAY_CORPORA, or shared/corpora beside the checkout, and skipped elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from player import Player

from fairway.pipelines import ir
from fairway.pipelines.ir.model import MISSING, Container
from fairway.pipelines.render.python_steps import recognised

pytestmark = pytest.mark.slow

CORPUS = Path(os.environ.get("FAIRWAY_CORPORA", Path(__file__).parents[3] / "../shared/corpora")) / "kfp/compiled/valid"

FAIL_BY_DESIGN = {
    "failing/fail_v2",
    "failing/pipeline_with_exit_handler",
    "failing/pipeline_with_multiple_exit_handlers",
    "local_execution/local_execution_pipeline_with_ignore_upstream_failure",
    "pipeline_as_exit_task",
    "pipeline_with_task_final_status",
    "pipeline_with_task_using_ignore_upstream_failure",
}
CANNOT_BE_PLAYED = {
    "component_with_metadata_fields": "takes an artifact as input of the run",
    "component_with_task_final_status_GH-12033": "asks for the final status of no task; skipped upstream",
    "create_pod_metadata_complex": "needs a pod",
    "critical/modelcar": "imports an OCI image",
    "critical/pipeline_with_pod_metadata": "needs a pod",
    "critical/pipeline_with_secret_as_env": "needs a secret",
    "env-var": "needs a variable of the server's environment",
    "input_artifact": "takes an artifact as input of the run",
    "log_streaming_compiled": "sleeps",
    "nested_with_parameters": "expects nested lists from nested loops; upstream's engine gives one flat list",
    "parameters_complex": "expects nested lists from nested loops; upstream's engine gives one flat list",
    "pipeline_producer_consumer": "expects nested lists from nested loops; upstream's engine gives one flat list",
    "pipeline_with_importer": "reads a remote object",
    "pipeline_with_metadata_fields": "takes an artifact as input of the run",
    "pipeline_with_secret_as_volume": "needs a secret",
    "pvc_mount": "needs a volume",
    "take_nap_compiled": "sleeps",
    "take_nap_pipeline_root_compiled": "sleeps",
}
VALUES = {
    "STRING": "text",
    "NUMBER_INTEGER": 1,
    "NUMBER_DOUBLE": 0.5,
    "BOOLEAN": True,
    "LIST": ["a"],
    "STRUCT": {"a": "b"},
}


def _names() -> list[str]:
    return sorted(str(path.relative_to(CORPUS))[: -len(".yaml")] for path in CORPUS.rglob("*.yaml"))


@pytest.mark.skipif(not CORPUS.exists(), reason=f"the corpus of compiled pipelines is not at {CORPUS}")
@pytest.mark.parametrize("name", _names() or ["absent"])
def test_a_pipeline_of_the_corpus_ends_as_it_should(name: str, tmp_path: Path) -> None:
    if name in CANNOT_BE_PLAYED:
        pytest.skip(CANNOT_BE_PLAYED[name])
    documents = list(yaml.load_all((CORPUS / f"{name}.yaml").read_text(), yaml.CSafeLoader))
    platform = documents[1] if len(documents) > 1 else None
    try:
        pipeline = ir.load(documents[0], platform)
    except ir.InvalidPipeline as refused:
        assert "not supported" in str(refused)
        pytest.skip(str(refused))
    if not _pure_python(pipeline):
        pytest.skip("has steps that are not lightweight Python components, or installs packages")
    graph = Player(tmp_path).play(documents[0], _inputs(pipeline, tmp_path), platform)
    assert graph.state == ("FAILED" if name in FAIL_BY_DESIGN else "SUCCEEDED"), graph.root.failure


def _pure_python(pipeline: ir.Pipeline) -> bool:
    bodies = [component.body for component in pipeline.components.values()]
    found = [recognised(body.command) for body in bodies if isinstance(body, Container)]
    return bool(found) and all(step is not None and not step.requirements for step in found)


def _inputs(pipeline: ir.Pipeline, tmp_path: Path) -> dict[str, Any]:
    """A value of the right type for each input that has none; a path is a file that does not exist yet."""
    needed = {key: p for key, p in pipeline.entry.input_parameters.items() if not p.optional and p.default is MISSING}
    return {key: str(tmp_path / "file") if key.endswith("path") else VALUES[p.type] for key, p in needed.items()}
