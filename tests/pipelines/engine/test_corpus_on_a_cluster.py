"""Upstream's own compiled pipelines that need more than a Python process: commands, volumes, secrets, pods' own facts.

Those are run with the real engine and real pods on a cluster in the test; the others are in `test_corpus`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from corpus import CORPUS, FAIL_BY_DESIGN, documents, names, needs_a_pod, values
from places import Here

from fairway.kernel.objects.kinds import CONFIG_MAP, PERSISTENT_VOLUME_CLAIM, SECRET
from fairway.pipelines import ir

pytestmark = pytest.mark.slow

NOT_HERE = {
    "components_with_optional_artifacts": "reads gs://",
    "container_io": "runs a program of an image that never was",
    "container_with_artifact_output": "runs an image that never was",
    "container_with_concat_placeholder": "runs a program of an image that never was",
    "container_with_if_placeholder": "runs a program of an image that never was",
    "container_with_placeholder_in_fstring": "runs a program of an image that never was",
    "containerized_python_component": "its code is in an image that never was",
    "critical/pipeline_with_artifact_upload_download": "reads a data set from a hub",
    "gpu-scheduling/nvidia_gpu_scheduling_check": "waits for a GPU",
    "integration/ray_integration_compiled": "needs a Ray cluster",
    "long-running": "sleeps for ten minutes",
    "pipeline_with_condition_dynamic_task_output_custom_training_job": "starts jobs in Google's cloud",
    "pipeline_with_dynamic_task_output_custom_training_job": "starts jobs in Google's cloud",
    "pipeline_with_google_artifact_type": "reads gs://",
    "pipeline_with_importer_and_gcpc_types": "runs an image that never was",
    "pipeline_with_various_io_types": "runs images that never were",
    "pythonic_artifact_with_single_return": "reads gs://",
    "sequential_v2": "runs gsutil",
    "two_step_pipeline": "runs gsutil",
    "upload_download_compiled": "asks upstream's object store",
    "xgboost_sample_pipeline": "reads Chicago's taxi trips",
}
PROGRAMS = {"critical/parameters_simple": "jq"}
"""What a step runs that this machine may not have."""


@pytest.mark.skipif(not CORPUS.exists(), reason=f"the corpus of compiled pipelines is not at {CORPUS}")
@pytest.mark.parametrize("name", [name for name in names() if needs_a_pod(name)] or ["absent"])
@pytest.mark.timeout(300)
async def test_a_pipeline_of_the_corpus_ends_as_it_should(name: str, here: Here, tmp_path: Path) -> None:
    if name in NOT_HERE:
        pytest.skip(NOT_HERE[name])
    if name in PROGRAMS and not shutil.which(PROGRAMS[name]):
        pytest.skip(f"needs {PROGRAMS[name]}")
    spec, platform = documents(name)
    await _provide(here)
    pipeline = ir.load(spec, platform)
    async with here.engine():
        run = await here.ended(await here.submit(spec, platform, **values(pipeline, tmp_path)))
    assert run["status"]["phase"] == ("FAILED" if name in FAIL_BY_DESIGN else "SUCCEEDED"), run["status"]["message"]


async def _provide(here: Here) -> None:
    """What upstream's end-to-end tests put into the namespace before they begin."""
    client = here.cluster.client
    for name, data in {
        "test-secret-1": {"username": "user1"},
        "test-secret-2": {"password": "psw1"},
        "test-secret-3": {"password": "psw2"},
    }.items():
        await client.create(SECRET, SECRET.new(name, "default", stringData=data))
    await client.create(CONFIG_MAP, CONFIG_MAP.new("text", "default", data={"key": "value"}))
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await client.create(PERSISTENT_VOLUME_CLAIM, PERSISTENT_VOLUME_CLAIM.new("text", "default", spec=claim))
