"""One seam: controllers and front against another cluster's kubeconfig do the same work."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fairway.kernel.objects.kinds import POD
from fairway.testing.cluster import cluster
from tests.e2e.conftest import Installation
from tests.ports import free_port

pytestmark = pytest.mark.e2e

PIPELINE = """
from kfp import dsl

@dsl.component
def double(number: int) -> int:
    return 2 * number

@dsl.pipeline(name="doubling")
def doubling(number: int = 21) -> int:
    return double(number=double(number=number).output).output
"""


@pytest.mark.slow
async def test_a_pipeline_runs_against_a_cluster_behind_a_kubeconfig(tmp_path: Path) -> None:
    """Store, API, workloads and node are one process here; features and front are another, over HTTPS."""
    source = tmp_path / "pipeline.py"
    source.write_text(PIPELINE)
    async with cluster(tmp_path / "other", node=True) as other:
        front = Installation(tmp_path / "front", free_port())
        port = str(front.port)
        start = ["up", "--detach", "--quiet", "--port", port, "--kubeconfig", str(other.kubeconfig)]
        await asyncio.to_thread(front.fairway, *start)
        try:
            result = await asyncio.to_thread(front.fairway, "run", str(source), "--param", "number=3")
            assert "SUCCEEDED" in result.stdout
            pods = await other.client.list(POD, "default")
            assert len(pods.items) == 2
        finally:
            await asyncio.to_thread(front.fairway, "stop")
