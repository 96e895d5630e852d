"""Acting on runs: again, no further, otherwise."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from fairway.cli import nouns
from fairway.cli.nouns import Answer, Verb
from fairway.cli.runs import reading
from fairway.pipelines import sdk
from fairway.pipelines.sdk import values


def _follow_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--follow", action="store_true", help="draw the run until its end")


def _retry_arguments(parser: argparse.ArgumentParser) -> None:
    nouns.one_run(parser)
    _follow_argument(parser)


def _retry(server: sdk.Server, options: argparse.Namespace) -> Answer | int:
    run = sdk.run(options.run, server=server)
    run.retry()
    return reading.begun(run, options, "is tried again")


def _simply(act: Callable[[sdk.Run], None], said: str) -> Callable[[sdk.Server, argparse.Namespace], Answer]:
    def verb(server: sdk.Server, options: argparse.Namespace) -> Answer:
        run = sdk.run(options.run, server=server)
        act(run)
        return Answer({"run_id": run.id}, f"run {run.id} {said}")

    return verb


def _clone_arguments(parser: argparse.ArgumentParser) -> None:
    nouns.one_run(parser)
    nouns.parameters(parser)
    parser.add_argument("--name", default="", help="the new run's name")
    _follow_argument(parser)


def _clone(server: sdk.Server, options: argparse.Namespace) -> Answer | int:
    old = sdk.run(options.run, server=server)
    return reading.begun(old.clone(values.read(options.param), name=options.name), options, "is new")


def _rerun_arguments(parser: argparse.ArgumentParser) -> None:
    nouns.one_run(parser)
    parser.add_argument(
        "--from", dest="steps", action="append", default=[], metavar="STEP", help="run this step again; repeat"
    )
    nouns.parameters(parser)
    parser.add_argument(
        "--input", action="append", default=[], metavar="STEP.NAME=VALUE", help="change what a step is given; repeat"
    )
    parser.add_argument("--name", default="", help="the new run's name")
    _follow_argument(parser)


def _rerun(server: sdk.Server, options: argparse.Namespace) -> Answer | int:
    old = sdk.run(options.run, server=server)
    inputs: dict[str, dict[str, Any]] = {}
    for place, value in values.read(options.input, "--input takes STEP.NAME=VALUE").items():
        step, dot, name = place.rpartition(".")
        if not dot:
            raise sdk.Failure(f"--input takes STEP.NAME=VALUE, not {place!r}")
        inputs.setdefault(step, {})[name] = value
    if not (options.steps or options.param or inputs):
        raise sdk.Failure("say what is to run again: --from STEP, or a changed --param or --input")
    new = old.rerun(*options.steps, parameters=values.read(options.param), inputs=inputs, name=options.name)
    return reading.begun(new, options, f"goes on from run {old.id}")


def _go_on_arguments(parser: argparse.ArgumentParser) -> None:
    nouns.one_run(parser)
    parser.add_argument("step", metavar="STEP", help="its name, or its path as `show` has it")


def _go_on(server: sdk.Server, options: argparse.Namespace) -> Answer:
    run = sdk.run(options.run, server=server)
    run.go_on(options.step)
    return Answer({"run_id": run.id, "step": options.step}, f"step {options.step} goes on")


def _delete_arguments(parser: argparse.ArgumentParser) -> None:
    nouns.one_run(parser)
    parser.add_argument(
        "--with-artifacts", action="store_true", help="also what its steps made, as far as nothing else uses it"
    )


def _delete(server: sdk.Server, options: argparse.Namespace) -> Answer:
    run = sdk.run(options.run, server=server)
    run.delete(artifacts=options.with_artifacts)
    what = "is deleted, with what only it used" if options.with_artifacts else "is deleted; what its steps made stays"
    return Answer({"run_id": run.id}, f"run {run.id} {what}")


VERBS = {
    "retry": Verb("run again what failed or was canceled; what succeeded stays", _retry, _retry_arguments),
    "terminate": Verb("end a run: its steps are stopped", _simply(sdk.Run.terminate, "is being ended"), nouns.one_run),
    "pause": Verb(
        "start no further step; what runs goes on", _simply(sdk.Run.pause, "starts no further step"), nouns.one_run
    ),
    "resume": Verb("let a paused run go on", _simply(sdk.Run.resume, "goes on"), nouns.one_run),
    "clone": Verb(
        "a new run of the same pipeline, with other parameters where given",
        _clone,
        _clone_arguments,
        "fairway runs clone last --param epochs=20",
    ),
    "rerun": Verb(
        "a new run from a step on; what succeeded before it is taken over",
        _rerun,
        _rerun_arguments,
        "fairway runs rerun last --from train --input train.epochs=20",
    ),
    "continue": Verb("let a step go on that stands still for a look", _go_on, _go_on_arguments),
    "delete": Verb(
        "remove a run and its records", _delete, _delete_arguments, "fairway runs delete last --with-artifacts"
    ),
}
