"""Running one step of a run again, here: the same inputs, the same code or a corrected one, under a debugger.

Nothing of it reaches the run: outputs go to a folder of their own. `performing`, which is imported when it is needed,
runs the step in this process.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairway.pipelines.sdk import artifacts
from fairway.pipelines.sdk.failures import Failure, NotThere
from fairway.pipelines.sdk.running import Run, run
from fairway.pipelines.sdk.wire import Api


@dataclass(frozen=True, slots=True)
class Replay:
    """What the step gave this time. `folder` holds all of it; who has seen enough may remove it."""

    folder: Path
    outputs: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Path] = field(default_factory=dict)


def replay(
    asked: Run | str,
    step: str,
    *,
    debug: bool = False,
    stop: bool = False,
    function: Callable[..., Any] | None = None,
    file: str | Path | None = None,
    inputs: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
    server: Api | None = None,
) -> Replay:
    """Run a step of a run again in this process, with the inputs that it had there, and write nothing to the run.

    A Python step runs as the function it is, so that `breakpoint()` in it works, and its exceptions are raised as
    they are. With `debug` an exception opens pdb where it happened; with `stop` pdb waits at the first line.
    `function`, a function or a component, is run in place of the step's own, such as the corrected one; `file` is the
    Python file where the function of the same name is. `inputs` changes parameters. Any other step's command is run as
    it is. Raises Failure.
    """
    found = run(asked, server=server) if isinstance(asked, str) else asked
    given = found.api.get(f"runs/{found.id}/tasks/{found.step(step).id}:replay")
    place = Path(folder or tempfile.mkdtemp(prefix="replay-")).expanduser().absolute()
    task = {
        "python": given.get("python", False),
        "source": given.get("source", ""),
        "command": given.get("command") or [],
        "args": given.get("args") or [],
        "executorInput": _moved(found.api, given["executor_input"], _known(given, inputs or {}), place),
        "defaults": given.get("defaults") or {},
        "job": given.get("job") or {},
        "outputs": given.get("outputs") or {},
        "requirements": given.get("requirements") or [],
        "env": given.get("env") or {},
    }
    absent = [name for name in given.get("env_elsewhere") or () if name not in os.environ]
    if absent:
        print(f"the step had {', '.join(absent)} from elsewhere, such as a secret; set them here", file=sys.stderr)
    # kfp's executor is large: who replays nothing does not wait for it.
    performing = importlib.import_module("fairway.pipelines.sdk.performing")
    made = performing.perform(task, place, debug=debug, stop=stop, function=function or (file and Path(file)))
    paths = {name: Path(item["uri"]) for name, item in made["artifacts"].items()}
    return Replay(place, made["parameters"], paths)


def _known(given: Mapping[str, Any], changed: Mapping[str, Any]) -> Mapping[str, Any]:
    """The changed parameters, once it is sure that the step has them."""
    parameters = (given["executor_input"].get("inputs") or {}).get("parameterValues") or {}
    has = sorted({*parameters, *(given.get("defaults") or {})})
    unknown = sorted(set(changed) - set(has))
    if unknown:
        raise Failure(f"the step has no parameter {', '.join(unknown)}; it has {', '.join(has) or 'none'}")
    return changed


def _moved(api: Api, executor_input: Mapping[str, Any], changed: Mapping[str, Any], place: Path) -> dict[str, Any]:
    """KFP's ExecutorInput with outputs below `place`, and input artifacts where they can be read from here."""
    given, made = executor_input.get("inputs") or {}, executor_input["outputs"]
    (place / "outputs").mkdir(parents=True, exist_ok=True)
    (place / "parameters").mkdir(exist_ok=True)
    inputs: dict[str, Any] = {}
    if given.get("parameterValues") or changed:
        inputs["parameterValues"] = {**(given.get("parameterValues") or {}), **changed}
    if given.get("artifacts"):
        inputs["artifacts"] = {
            key: {"artifacts": [_near(api, item, place / "inputs" / key) for item in entry["artifacts"]]}
            for key, entry in given["artifacts"].items()
        }
    outputs: dict[str, Any] = {"outputFile": str(place / "outputs" / "executor_output.json")}
    if made.get("parameters"):
        outputs["parameters"] = {key: {"outputFile": str(place / "parameters" / key)} for key in made["parameters"]}
    if made.get("artifacts"):
        outputs["artifacts"] = {
            key: {"artifacts": [{**item, "uri": str(place / "outputs" / key)} for item in entry["artifacts"]]}
            for key, entry in made["artifacts"].items()
        }
    return {**({"inputs": inputs} if inputs else {}), "outputs": outputs}


def _near(api: Api, item: Mapping[str, Any], place: Path) -> dict[str, Any]:
    """An input artifact that can be read here: as it is, where this is the machine that has it; else a copy."""
    path = str(item["uri"]).removeprefix("file://")
    if "://" in path or os.path.exists(path):
        return {**item, "uri": path}
    try:
        copy = artifacts.read(api, api.get(f"artifacts/{item['name']}")).save(place / item["name"])
    except NotThere as gone:
        raise Failure(f"the input at {path} is gone, and the step cannot run again without it") from gone
    return {**item, "uri": str(copy)}
