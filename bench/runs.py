"""Runs of pipelines for benchmarks: compiled by the SDK, never from the cache, timed by their own records."""

import json
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler

from bench.platform import Platform
from fairway.cli.verbs import Failure

OVER = ("SUCCEEDED", "FAILED", "CANCELED")
_RUNS = "/k8s/apis/pipelines.fairway.dev/v1/namespaces/default/runs"


def seconds(
    platform: Platform, pipeline: Any, parameters: Mapping[str, Any] | None = None, limit: float = 300
) -> float:
    """From the creation of a run to its end, as its record has them."""
    begin = time.perf_counter()
    run = started(platform, pipeline, parameters)
    while phase(platform, run) not in OVER:
        time.sleep(0.1)
        assert time.perf_counter() - begin < limit, "the run does not end"
    run = platform.server.call("GET", f"/apis/v2beta1/runs/{run['run_id']}", timeout=60)
    assert run["state"] == "SUCCEEDED", json.dumps(run.get("error"))
    return _seconds(run["finished_at"]) - _seconds(run["created_at"])


def started(platform: Platform, pipeline: Any, parameters: Mapping[str, Any] | None = None) -> Any:
    """The run, as the answer to its creation has it."""
    body = {
        "display_name": "bench",
        "pipeline_spec": compiled(pipeline),
        "runtime_config": {"parameters": dict(parameters or {})},
    }
    return platform.server.call("POST", "/apis/v2beta1/runs", body, timeout=60)


def phase(platform: Platform, run: Any) -> str:
    """By the object, and not the run with all its tasks: asking must not cost what is measured."""
    try:
        found = platform.server.call("GET", f"{_RUNS}/{run['run_id']}", timeout=60)
    except Failure as failure:
        if "404" not in str(failure):
            raise
        return ""  # the record is there before the object
    return str(found.get("status", {}).get("phase", ""))


def compiled(pipeline: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        spec = next(yaml.safe_load_all(path.read_text()))
    for component in (spec["root"], *spec["components"].values()):
        for task in component.get("dag", {}).get("tasks", {}).values():
            task["cachingOptions"] = {}
    return spec


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
