"""`fairway run FILE`: submit a pipeline function, or a compiled pipeline, and follow it to its end.

Exit code 0 where the run succeeded, 1 where it did not.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from fairway.cli import connection, progress
from fairway.cli.verbs import Failure
from fairway.pipelines import sdk


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a Python file with a @dsl.pipeline function, or a compiled pipeline")
    parser.add_argument("--pipeline", default="", metavar="NAME", help="which function, where the file has several")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="JSON or plain text; repeat")
    parser.add_argument("--name", default="", help="the run's name")
    parser.add_argument("--experiment", default="", help="the experiment to run in (default: Default)")
    parser.add_argument("--no-cache", action="store_true", help="run every step, finished before or not")
    parser.add_argument("--no-follow", action="store_true", help="only submit; prints the run's id")
    parser.epilog = "example: fairway run examples/breast_cancer/pipeline.py --param good_enough=0.9"


def run(options: argparse.Namespace) -> int:
    found = connection.need(options.data_dir)
    server, console = sdk.Server(found.url, found.token), Console(soft_wrap=True)
    try:
        run_id = server.submit(
            sdk.pipeline_in(options.file, options.pipeline),
            parameters(options.param),
            run_name=options.name,
            experiment=options.experiment,
            caching=False if options.no_cache else None,
        )
        if options.no_follow:
            print(run_id)
            return 0
        console.print(f"run {run_id}\n{found.url}/#/runs/details/{run_id}", style="dim")
        end = progress.show(server.follow(run_id), console)
    except sdk.Failure as problem:
        raise Failure(str(problem)) from problem
    console.print(f"{end.state}{': ' + end.message if end.message else ''}")
    return 0 if end.state == "SUCCEEDED" else 1


def parameters(texts: list[str]) -> dict[str, Any]:
    """NAME=VALUE texts as values: JSON where it is JSON, text otherwise."""
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Failure(f"--param takes NAME=VALUE, not {text!r}")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values
