"""Upstream's own compiled pipelines, those made of lightweight Python components only, played to their end."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import CORPUS, FAIL_BY_DESIGN, artifacts, documents, names, needs_a_pod, values
from player import Player

from fairway.pipelines import ir

pytestmark = pytest.mark.slow

CANNOT_BE_PLAYED = {
    "critical/modelcar": "imports an OCI image",
    "component_with_task_final_status_GH-12033": "asks for the final status of no task; skipped upstream",
    "env-var": "needs a variable of the server's environment",
    "log_streaming_compiled": "sleeps",
    "pipeline_with_importer": "reads a remote object",
    "take_nap_compiled": "sleeps",
    "take_nap_pipeline_root_compiled": "sleeps",
}


@pytest.mark.skipif(not CORPUS.exists(), reason=f"the corpus of compiled pipelines is not at {CORPUS}")
@pytest.mark.parametrize("name", [name for name in names() if not needs_a_pod(name)] or ["absent"])
def test_a_pipeline_of_the_corpus_ends_as_it_should(name: str, tmp_path: Path) -> None:
    if name in CANNOT_BE_PLAYED:
        pytest.skip(CANNOT_BE_PLAYED[name])
    spec, platform = documents(name)
    pipeline = ir.load(spec, platform)
    given = artifacts(pipeline, tmp_path)
    graph = Player(tmp_path).play(spec, values(pipeline, tmp_path), platform, artifacts=given)
    assert graph.state == ("FAILED" if name in FAIL_BY_DESIGN else "SUCCEEDED"), graph.root.failure
