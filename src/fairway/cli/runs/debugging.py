"""`fairway runs debug`: a step again, here, with the inputs that it had, under a debugger."""

from __future__ import annotations

import argparse
import traceback
from pathlib import Path

from fairway.cli import nouns, printing
from fairway.cli.nouns import Answer, Verb
from fairway.pipelines import sdk
from fairway.pipelines.sdk import values


def _arguments(parser: argparse.ArgumentParser) -> None:
    nouns.one_run(parser)
    parser.add_argument("step", metavar="STEP", help="its name, or its path as `show` has it")
    parser.add_argument("--stop", action="store_true", help="begin in the debugger, at the function's first line")
    parser.add_argument("--file", type=Path, metavar="FILE", help="run the function as it is in this Python file now")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=VALUE", help="change a parameter; repeat")
    parser.add_argument("--folder", type=Path, metavar="PATH", help="where the outputs go (default: a temporary one)")


def _debug(server: sdk.Server, options: argparse.Namespace) -> Answer:
    try:
        made = sdk.replay(
            options.run,
            options.step,
            debug=True,
            stop=options.stop,
            file=options.file,
            inputs=values.read(options.input, "--input takes NAME=VALUE"),
            folder=options.folder,
            server=server,
        )
    except sdk.Failure:
        raise
    except Exception as failure:  # the step's own, which the debugger has shown
        told = traceback.format_exception_only(failure)[-1].strip()
        raise sdk.Failure(f"the step failed here as well: {told}") from failure
    paths = {name: str(path) for name, path in made.artifacts.items()}
    rows = ((name, printing.value(value)) for name, value in {**made.outputs, **paths}.items())
    data = {"outputs": dict(made.outputs), "artifacts": paths, "folder": str(made.folder)}
    return Answer(data, printing.table(("output", "value"), rows, f"the step gave nothing; see {made.folder}"))


VERBS = {
    "debug": Verb(
        "run a step again, here, with the inputs that it had; a failure opens pdb",
        _debug,
        _arguments,
        "fairway runs debug last train --file pipeline.py",
    )
}
