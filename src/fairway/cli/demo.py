"""`fairway demo`: the main job from end to end, on real data: train, compare, deploy, and call what was deployed.

It starts the platform where none runs, and leaves it running for a person to look around; with --exit, or where
standard input is no terminal, it stops what it started. Exit code 0 only where every part held.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fairway.cli import connection, progress
from fairway.cli.verbs import Failure
from fairway.pipelines import sdk

_SERVICE = "breast-cancer"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, help="the public port where the platform must be started (default: 8080)")
    parser.add_argument("--exit", action="store_true", help="stop the platform at the end where the demo started it")


def run(options: argparse.Namespace) -> int:
    console = Console(soft_wrap=True)
    leave = sys.stdin.isatty() and not options.exit
    begin = time.monotonic()
    with _platform(options, console, leave=leave) as found:
        try:
            run_id, held = _main_job(sdk.Server(found.url, found.token), console)
        except sdk.Failure as problem:
            raise Failure(str(problem)) from problem
        console.print(f"{'every part held' if held else 'not every part held'}, in {time.monotonic() - begin:.1f} s")
        if leave:
            _invite(found, run_id, console)
    return 0 if held else 1


@contextmanager
def _platform(options: argparse.Namespace, console: Console, *, leave: bool) -> Iterator[connection.Server]:
    folder = connection.data_dir(options.data_dir)
    running = connection.find(folder)
    if running:
        console.print(f"using the platform at {running.url}")
        yield running
        return
    command = [sys.executable, "-m", "fairway"]
    up = [*command, "up", "--detach", "--data-dir", str(folder)]
    if options.port:
        up += ["--port", str(options.port)]
    if subprocess.run(up, check=False).returncode != 0:
        raise Failure("the platform did not start (see the line above)")
    try:
        yield connection.need(folder)
    finally:
        if not leave:
            subprocess.run([*command, "stop", "--data-dir", str(folder)], check=True)


def _main_job(server: sdk.Server, console: Console) -> tuple[str, bool]:
    """The run's id, and whether every part held."""
    file = example()
    console.rule("[bold]1  the pipeline", align="left")
    run = sdk.submit(sdk.pipeline_in(file), name="demo", experiment="demo", server=server)
    console.print(run.url, style="dim")
    end = progress.show(run.follow(), console)
    cached = sum(step.state == "CACHED" for step in end.steps)
    if cached:
        console.print(f"{cached} steps were taken from the cache: their code and inputs are those of an earlier run")
    if end.state != "SUCCEEDED":
        console.print(f"the run ended as {end.state}: {end.message}", style="red")
        return run.id, False
    console.rule("[bold]2  the candidates", align="left")
    _metrics(run, console)
    console.rule("[bold]3  the deployed model, called through the gateway", align="left")
    return run.id, _predictions(server, run.artifact("held_out").value(), console)


def example() -> Path:
    """The example pipeline: in the wheel beside this package, in a checkout at its root."""
    here = Path(__file__).resolve()
    for root in (here.parents[1], here.parents[3]):
        file = root / "examples" / "breast_cancer" / "pipeline.py"
        if file.exists():
            return file
    raise Failure("the example pipeline is missing: run the demo from a checkout, or install the wheel again")


def _metrics(run: sdk.Run, console: Console) -> None:
    table = Table("candidate", "accuracy", "ROC AUC", box=None, pad_edge=False)
    judged = [one.metadata for one in run.artifacts() if one.name == "metrics"]
    for values in sorted(judged, key=lambda values: values.get("roc_auc", 0), reverse=True):
        candidate, accuracy, area = values.get("candidate"), values.get("accuracy", 0), values.get("roc_auc", 0)
        table.add_row(str(candidate), f"{accuracy:.3f}", f"{area:.4f}")
    console.print(table)


def _predictions(server: sdk.Server, held_out: dict[str, Any], console: Console) -> bool:
    rows, truth, classes = held_out["rows"], held_out["truth"], held_out["classes"]
    prefix = f"/serving/default/{_SERVICE}"
    v1 = _call(server, f"{prefix}/v1/models/{_SERVICE}:predict", {"instances": rows})["predictions"]
    tensor = {
        "name": "rows",
        "shape": [len(rows), len(rows[0])],
        "datatype": "FP64",
        "data": [value for row in rows for value in row],
    }
    v2 = _call(server, f"{prefix}/v2/models/{_SERVICE}/infer", {"inputs": [tensor]})["outputs"][0]["data"]
    table = Table("row", "predicted (V1)", "predicted (V2)", "truth", "", box=None, pad_edge=False)
    for number, (first, second, right) in enumerate(zip(v1, v2, truth, strict=True), 1):
        mark = "[green]✓" if first == right else "[red]✗"
        table.add_row(str(number), classes[int(first)], classes[int(second)], classes[right], mark)
    console.print(table)
    score = sum(int(one) == right for one, right in zip(v1, truth, strict=True)) / len(truth)
    console.print(f"score on rows that no step had seen: {score:.0%}")
    if list(map(int, v1)) != list(map(int, v2)):
        console.print("V1 and V2 do not agree", style="red")
        return False
    return bool(score >= 0.8)


def _call(server: sdk.Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), headers)  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            decoded: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as refused:
        raise Failure(f"the model answered {refused.code}: {refused.read().decode(errors='replace')}") from refused
    except OSError as problem:
        raise Failure(f"the gateway does not answer ({problem}): see `fairway status`") from problem
    return decoded


def _invite(server: connection.Server, run_id: str, console: Console) -> None:
    """Leave the platform with the dashboard open to the run: in a browser, where there is a screen to show it on."""
    url = server.call("POST", "/login/one-time")["url"] + f"#/runs/details/{run_id}"
    console.print(
        f"\nThe platform is still there. Look around:\n"
        f"  dashboard   {url}\n"
        f"  kubectl     kubectl --kubeconfig {server.kubeconfig} get pods,inferenceservices\n"
        f"  again       fairway demo     (finished steps come from the cache)\n"
        f"  stop        fairway stop --data-dir {server.data_dir}"
    )
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(url)
