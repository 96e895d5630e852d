"""Verbs of a noun, as in `fairway runs retry RUN`: found, connected, and answered for people or as JSON.

The module of a noun has one `NOUN`. Each of its verbs gets the platform and its options, and gives an `Answer`, which
is printed as text or, with --json, as JSON; a verb that prints as it goes gives its exit code instead.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from fairway.cli import printing
from fairway.cli.verbs import Failure
from fairway.pipelines import sdk

DEFAULT = "list"
"""The verb of a noun that is named alone."""


@dataclass(frozen=True)
class Answer:
    """`data` is what --json prints; `text` is for people: lines, or something that rich can print."""

    data: Any
    text: RenderableType
    code: int = 0


Run = Callable[[sdk.Server, argparse.Namespace], Answer | int]


def _nothing(_: argparse.ArgumentParser) -> None:
    pass


@dataclass(frozen=True)
class Verb:
    summary: str
    run: Run
    arguments: Callable[[argparse.ArgumentParser], None] = _nothing
    example: str = ""


@dataclass(frozen=True)
class Noun:
    """What the module of a noun offers as NOUN: the same two functions that the module of a single verb has."""

    verbs: Mapping[str, Verb]

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verbs. What all of them take may stand before the verb and after it."""
        parser.add_argument("--json", action="store_true", help="for scripts: print JSON")
        chosen = parser.add_subparsers(metavar="VERB", dest="verb")
        for name, verb in self.verbs.items():
            _declare(chosen, name, verb)
        if DEFAULT in self.verbs:
            alone = argparse.ArgumentParser()
            self.verbs[DEFAULT].arguments(alone)
            parser.set_defaults(act=self.verbs[DEFAULT].run, **vars(alone.parse_args([])))
        else:
            chosen.required = True

    def run(self, options: argparse.Namespace) -> int:
        """Run the chosen verb on the platform that is found, and print its answer."""
        try:
            answer = options.act(connect(options), options)
        except sdk.Failure as problem:
            raise Failure(str(problem)) from problem
        if isinstance(answer, int):
            return answer
        if options.json:
            print(json.dumps(answer.data, indent=2, default=str))
        elif answer.text:
            printing.show(answer.text)
        return int(answer.code)


def _declare(chosen: Any, name: str, verb: Verb) -> None:
    parser = chosen.add_parser(
        name,
        help=verb.summary,
        description=verb.summary,
        epilog=f"example: {verb.example}" if verb.example else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Absent here, they must not take away what stood before the verb.
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="for scripts: print JSON")
    parser.add_argument("--data-dir", type=Path, default=argparse.SUPPRESS, metavar="D", help="see `fairway up --help`")
    verb.arguments(parser)
    parser.set_defaults(act=verb.run)


def one_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help='an id, the beginning of one, a name that only one has, or "last"')


def pipeline_file(parser: argparse.ArgumentParser) -> None:
    """What `sdk.pipeline_in` takes."""
    parser.add_argument("file", type=Path, help="a Python file with a @dsl.pipeline function, or a compiled pipeline")
    parser.add_argument("--pipeline", default="", metavar="NAME", help="which function, where the file has several")


def parameters(parser: argparse.ArgumentParser) -> None:
    """The option --param, whose texts `sdk.values` reads."""
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="JSON or plain text; repeat")


def connect(options: argparse.Namespace) -> sdk.Server:
    try:
        return sdk.connect(data_dir=options.data_dir)
    except sdk.Failure as problem:
        raise Failure(str(problem)) from problem
