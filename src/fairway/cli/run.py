"""`fairway run FILE`: submit a pipeline function, or a compiled pipeline, and follow it to its end.

Exit code 0 where the run succeeded, 1 where it did not.
"""

from __future__ import annotations

import argparse
import json

from fairway.cli import nouns, printing
from fairway.cli.runs import reading
from fairway.cli.verbs import Failure
from fairway.pipelines import sdk
from fairway.pipelines.sdk import values


def arguments(parser: argparse.ArgumentParser) -> None:
    nouns.pipeline_file(parser)
    nouns.parameters(parser)
    parser.add_argument("--name", default="", help="the run's name")
    parser.add_argument("--experiment", default="", help="the experiment to run in (default: Default)")
    parser.add_argument("--no-cache", action="store_true", help="run every step, finished before or not")
    parser.add_argument("--no-follow", action="store_true", help="only submit; prints the run's id")
    parser.add_argument("--json", action="store_true", help="for scripts: one JSON object for each change of the run")
    parser.epilog = "example: fairway run examples/breast_cancer/pipeline.py --param good_enough=0.9"


def run(options: argparse.Namespace) -> int:
    server = nouns.connect(options)
    try:
        started = sdk.submit(
            sdk.pipeline_in(options.file, options.pipeline),
            values.read(options.param),
            name=options.name,
            experiment=options.experiment,
            caching=False if options.no_cache else None,
            server=server,
        )
        if options.no_follow:
            print(json.dumps({"run_id": started.id}) if options.json else started.id)
            return 0
        if not options.json:
            printing.console().print(f"run {started.id}\n{started.url}", style="dim")
        return reading.follow(started, as_json=options.json)
    except sdk.Failure as problem:
        raise Failure(str(problem)) from problem
