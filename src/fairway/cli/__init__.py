"""The `fairway` command: one file for each verb.

A verb is a module with `arguments(parser)` and `run(options) -> exit code`; a noun, such as `runs`, has verbs of its
own (see `nouns`). Only the module of the chosen verb is imported, so that `fairway status` does not pay
for what `fairway up` needs. Errors leave as one sentence with the next action, on standard error, with exit code 1.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fairway import __version__
from fairway.cli.verbs import VERBS, Failure

_EPILOG = """\
the usual first steps:
  fairway up                      start the platform here; prints the dashboard's address
  fairway demo                    see the main job: train, choose, deploy and call a model
  fairway run pipeline.py         run your own pipeline function, no compile step
  kubectl --kubeconfig "$(fairway kubeconfig)" get pods,inferenceservices
  fairway stop                    end it; everything is kept in the data directory
"""


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(words).parse_args(words)
    try:
        code: int = options.call(options)
        return code
    except Failure as failure:
        print(f"fairway: {failure}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away, as in `fairway status | head -1`. Nothing to tell anybody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fairway",
        description="Kubeflow that starts with one command.",
        epilog=_EPILOG,
        formatter_class=functools.partial(argparse.RawDescriptionHelpFormatter, max_help_position=18),
    )
    parser.add_argument("--version", action="version", version=f"fairway {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, summary in VERBS.items():
        verb = verbs.add_parser(
            name, help=summary, description=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name in words[:1]:
            _fill(verb, name)
    return parser


def _fill(verb: argparse.ArgumentParser, name: str) -> None:
    """Import the chosen verb and let it declare its arguments."""
    module = importlib.import_module(f"fairway.cli.{name}")
    verb.add_argument(
        "--data-dir",
        type=Path,
        metavar="D",
        help="where the platform keeps everything (default: $FAIRWAY_DATA_DIR or ~/.local/share/fairway)",
    )
    chosen = getattr(module, "NOUN", module)
    chosen.arguments(verb)
    verb.set_defaults(call=chosen.run)
