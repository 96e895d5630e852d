"""Looking into runs: which there are, their steps, logs, outputs, artifacts."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from fairway.cli import nouns, printing, progress
from fairway.cli.nouns import Answer, Verb
from fairway.cli.runs import logs
from fairway.pipelines import sdk
from fairway.pipelines.sdk import running, steps


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", default="", help="only runs in this state, such as failed")
    parser.add_argument("--experiment", default="", metavar="NAME", help="only runs of this experiment")
    parser.add_argument("--name", default="", metavar="TEXT", help="only runs with this text in their name")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most this many (default: 20)")


def _list(server: sdk.Server, options: argparse.Namespace) -> Answer:
    found = running.listed(server, options.state, options.experiment, options.name, options.limit)
    rows = (
        (
            each["run_id"][: printing.SHORT],
            printing.state(each["state"]),
            each.get("display_name", ""),
            printing.moment(each.get("created_at", "")),
            _took(each),
        )
        for each in found
    )
    nothing = "no runs; start one with `fairway run FILE`"
    shown = [{key: value for key, value in each.items() if key != "pipeline_spec"} for each in found]
    return Answer(shown, printing.table(("run", "state", "name", "created", "took"), rows, nothing))


def _took(run: Mapping[str, Any]) -> str:
    ended = run.get("finished_at", "")
    end = steps.parse(ended) if printing.moment(ended) else datetime.now(UTC)
    return steps.span((end - steps.parse(run["created_at"])).total_seconds())


def _show(server: sdk.Server, options: argparse.Namespace) -> Answer:
    run = sdk.run(options.run, server=server)
    snapshot = run.snapshot()
    facts = {"inputs": run.inputs(), "outputs": run.outputs(), "metrics": run.metrics()}
    parts: list[RenderableType] = [Text(f"run {run.id}\n{run.url}", style="dim"), progress.tree(snapshot, paths=True)]
    parts += [
        _values(title, values) for title, values in (("parameters", facts["inputs"]), ("outputs", facts["outputs"]))
    ]
    parts += [_values(f"metrics of {step}", values) for step, values in facts["metrics"].items()]
    if snapshot.message:
        parts.append(Text(snapshot.message, style="red"))
    return Answer({**asdict(snapshot), **facts}, Group(*(part for part in parts if part)))


def _values(title: str, values: Mapping[str, Any]) -> RenderableType:
    if not values:
        return ""
    rows = ((name, printing.value(value)) for name, value in values.items())
    return Group("", printing.table((title, ""), rows, ""))


def _follow(server: sdk.Server, options: argparse.Namespace) -> int:
    return follow(sdk.run(options.run, server=server), as_json=options.json)


def follow(run: sdk.Run, *, as_json: bool) -> int:
    """Draw the run until its end; 0 where it succeeded, else 1. As JSON it is one line for each change."""
    if as_json:
        for end in run.follow():
            print(json.dumps(asdict(end)), flush=True)
    else:
        end = progress.show(run.follow(), printing.console())
        printing.show(f"{end.state}{': ' + end.message if end.message else ''}")
    return 0 if end.state == "SUCCEEDED" else 1


def begun(run: sdk.Run, options: argparse.Namespace, said: str) -> Answer | int:
    """What a verb answers that has started a run: the run's end with --follow, else its id."""
    if options.follow:
        return follow(run, as_json=options.json)
    return Answer({"run_id": run.id}, f"run {run.id} {said}\n{run.url}")


def _step_arguments(parser: argparse.ArgumentParser) -> None:
    nouns.one_run(parser)
    parser.add_argument("step", nargs="?", default="", metavar="STEP", help="its name, or its path as `show` has it")


def _logs_arguments(parser: argparse.ArgumentParser) -> None:
    _step_arguments(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on while the run goes on")


def _logs(server: sdk.Server, options: argparse.Namespace) -> int:
    run = sdk.run(options.run, server=server)
    for step, line in logs.lines(run, options.step, follow=options.follow):
        if options.json:
            print(json.dumps({"step": step, "line": line}), flush=True)
        else:
            print(line if options.step else f"{step}: {line}", flush=True)
    return 0


def _outputs(server: sdk.Server, options: argparse.Namespace) -> Answer:
    values = sdk.run(options.run, server=server).outputs(options.step)
    rows = ((name, printing.value(value)) for name, value in values.items())
    whose = f"step {options.step}" if options.step else "run"
    return Answer(values, printing.table(("output", "value"), rows, f"the {whose} has no output parameters"))


def _artifacts_arguments(parser: argparse.ArgumentParser) -> None:
    nouns.one_run(parser)
    parser.add_argument("artifact", nargs="?", default="", metavar="ARTIFACT", help="its name, or STEP/OUTPUT")
    parser.add_argument("--save", type=Path, metavar="PATH", help="copy the artifact there")
    parser.add_argument("--print", action="store_true", help="write the artifact's bytes to standard output")


def _artifacts(server: sdk.Server, options: argparse.Namespace) -> Answer | int:
    run = sdk.run(options.run, server=server)
    if (options.save or options.print) and not options.artifact:
        raise sdk.Failure("say which artifact: `fairway runs artifacts RUN` lists them")
    chosen = [run.artifact(options.artifact)] if options.artifact else run.artifacts()
    if options.print:
        sys.stdout.buffer.write(chosen[0].read())
        return 0
    if options.save:
        place = str(chosen[0].save(options.save))
        return Answer({"path": place}, place)
    rows = ((each.step, each.key, each.type, each.uri) for each in chosen)
    return Answer(list(_plain(chosen)), printing.table(("step", "artifact", "type", "address"), rows, "no artifacts"))


def _plain(artifacts: list[sdk.Artifact]) -> Iterator[dict[str, Any]]:
    for each in artifacts:
        names = ("id", "step", "key", "name", "type", "uri", "metadata")
        yield {name: getattr(each, name) for name in names}


VERBS = {
    "list": Verb("the newest runs", _list, _list_arguments, "fairway runs list --state failed"),
    "show": Verb("a run with its steps, parameters and outputs", _show, nouns.one_run, "fairway runs show last"),
    "follow": Verb("draw a run live until its end; exit code 0 where it succeeded", _follow, nouns.one_run),
    "logs": Verb("what a step wrote, or all of them", _logs, _logs_arguments, "fairway runs logs last train --follow"),
    "outputs": Verb("the output parameters of a run, or of one step", _outputs, _step_arguments),
    "artifacts": Verb(
        "what a run made; copies or prints one of them",
        _artifacts,
        _artifacts_arguments,
        "fairway runs artifacts last train/model --save model",
    ),
}
