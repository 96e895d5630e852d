"""What a warm Python step costs, alone and in a fan-out of 1,000, beside fork+exec of an interpreter."""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler, dsl

from bench.measuring import Row, milliseconds, quantile
from bench.platform import Platform

_CHAIN, _FAN_OUT, _REFERENCE = 20, 1000, 100
_OVER = ("SUCCEEDED", "FAILED", "CANCELED")
_RUNS = "/k8s/apis/pipelines.fairway.dev/v1/namespaces/default/runs"


@dsl.component(base_image="python:3.11")
def noop(number: int) -> int:
    return number


@dsl.pipeline(name="chain")
def chain() -> None:
    previous = noop(number=0)
    for _ in range(_CHAIN - 1):
        previous = noop(number=previous.output)


@dsl.pipeline(name="fan-out")
def fan_out(numbers: list[int]) -> None:
    with dsl.ParallelFor(numbers) as number:
        noop(number=number)


def measure(platform: Platform) -> list[Row]:
    _run(platform, chain, {})  # warms the fork server
    step = min(_run(platform, chain, {}) for _ in range(3)) / _CHAIN
    rate = _FAN_OUT / _run(platform, fan_out, {"numbers": list(range(_FAN_OUT))})
    executed = _fork_and_exec()
    parallel = _fork_and_exec_rate()
    forked = _fork()
    return [
        Row(
            "one warm Python step, all in (chain of 20)",
            milliseconds(step),
            "20 ms",
            f"{milliseconds(executed)}: fork+exec of an interpreter",
            step / executed,
        ),
        Row(
            "fan-out of 1,000 steps",
            f"{rate:.0f}/s",
            "150/s",
            f"{parallel:.0f}/s: fork+exec of interpreters, 2 at a time",
            rate / parallel,
        ),
        Row("(floor) fork of this interpreter", milliseconds(forked), ""),
    ]


def _run(platform: Platform, pipeline: Any, parameters: dict[str, Any]) -> float:
    """Seconds from the creation of a run to its end, as its record has them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        spec = next(yaml.safe_load_all(path.read_text()))
    for task in spec["root"]["dag"]["tasks"].values():
        task["cachingOptions"] = {}
    for component in spec["components"].values():
        for task in component.get("dag", {}).get("tasks", {}).values():
            task["cachingOptions"] = {}
    server = platform.server
    body = {"display_name": "bench", "pipeline_spec": spec, "runtime_config": {"parameters": parameters}}
    begin = time.perf_counter()
    run = server.call("POST", "/apis/v2beta1/runs", body, timeout=60)
    while run.get("state") not in _OVER:
        time.sleep(0.1)
        # The object, and not the run with all its tasks: asking must not cost what is measured.
        phase = server.call("GET", f"{_RUNS}/{run['run_id']}", timeout=60).get("status", {}).get("phase")
        assert time.perf_counter() - begin < 300, "the run does not end"
        if phase in _OVER:
            run = server.call("GET", f"/apis/v2beta1/runs/{run['run_id']}", timeout=60)
    assert run["state"] == "SUCCEEDED", json.dumps(run.get("error"))
    return _seconds(run["finished_at"]) - _seconds(run["created_at"])


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _fork_and_exec() -> float:
    seconds = []
    for _ in range(_REFERENCE):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
        seconds.append(time.perf_counter() - begin)
    return quantile(seconds, 0.5)


def _fork_and_exec_rate() -> float:
    begin = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(subprocess.run, [sys.executable, "-I", "-S", "-c", "pass"]) for _ in range(200)]:
            done.result()
    return 200 / (time.perf_counter() - begin)


def _fork() -> float:
    seconds = []
    for _ in range(_REFERENCE):
        begin = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        seconds.append(time.perf_counter() - begin)
    return quantile(seconds, 0.5)
