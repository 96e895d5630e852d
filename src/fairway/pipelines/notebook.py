"""The IPython extension: a cell that defines a pipeline is submitted and followed, right there.

    %load_ext fairway.pipelines.notebook

    %%pipeline n=3 --name first-try
    @dsl.pipeline
    def squares(n: int = 1):
        ...

The cell runs as any other, so that what it defines is there afterwards; its pipeline, the last one where it defines
several, is what is submitted. The cell's value is the run. IPython imports this, and is all that it needs beside the
SDK.
"""

from __future__ import annotations

import argparse
import shlex
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.display import display

from fairway.pipelines import sdk
from fairway.pipelines.sdk import files, values
from fairway.pipelines.sdk.showing import Picture


def load_ipython_extension(shell: Any) -> None:
    """What %load_ext calls."""

    def pipeline(line: str, cell: str) -> sdk.Run | None:
        """%%pipeline [NAME=VALUE ...] [--name N] [--experiment E] [--no-cache] [--no-follow]

        Run the cell, submit the pipeline that it defines, and follow it. A value is JSON or plain text; {name} in the
        line stands for a variable, as in every magic.
        """
        try:
            return _submit(shell, _line().parse_args(shlex.split(line)), cell)
        except sdk.Failure as problem:
            raise UsageError(str(problem)) from problem

    shell.register_magic_function(pipeline, magic_kind="cell")


def follow(run: sdk.Run) -> None:
    """Draw the run in place until its end. The notebook's stop button ends the drawing, and not the run."""
    drawn = None
    for snapshot in run.follow():
        picture = Picture(snapshot, run.url)
        if drawn is None:
            drawn = display(picture, display_id=True)
        else:
            drawn.update(picture)


class _Line(argparse.ArgumentParser):
    """The magic's line. A mistake in it is told, and does not end the interpreter."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage()}")


def _line() -> _Line:
    line = _Line(prog="%%pipeline", add_help=False)
    line.add_argument("parameters", nargs="*", metavar="NAME=VALUE")
    line.add_argument("--name", default="")
    line.add_argument("--experiment", default="")
    line.add_argument("--no-cache", action="store_true")
    line.add_argument("--no-follow", action="store_true")
    return line


def _submit(shell: Any, options: argparse.Namespace, cell: str) -> sdk.Run | None:
    before = files.among(shell.user_ns)
    if not shell.run_cell(cell).success:
        return None  # the shell has shown what went wrong
    new = [found for name, found in files.among(shell.user_ns).items() if before.get(name) is not found]
    if not new:
        raise sdk.Failure("the cell defines no pipeline; decorate a function with @dsl.pipeline")
    run = sdk.submit(
        new[-1],
        values.read(options.parameters),
        name=options.name,
        experiment=options.experiment,
        caching=False if options.no_cache else None,
    )
    if not options.no_follow:
        follow(run)
    return run
