"""`fairway cache clear`: forget results, so that steps run again."""

from __future__ import annotations

import argparse

from fairway.cli.nouns import Answer, Noun, Verb
from fairway.pipelines import sdk


def _clear_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", nargs="?", default="", metavar="PIPELINE", help="its name; all where left out")


def _clear(server: sdk.Server, options: argparse.Namespace) -> Answer:
    count = sdk.clear_cache(options.pipeline, server=server)
    whose = f"pipeline {options.pipeline}" if options.pipeline else "all pipelines"
    return Answer({"deleted": count}, f"forgot the results of {count} steps of {whose}; they run again next time")


NOUN = Noun({"clear": Verb("forget what was cached", _clear, _clear_arguments, "fairway cache clear breast-cancer")})
