"""`fairway runs`: look into runs, and act on them. `reading` and `acting` hold the verbs."""

from __future__ import annotations

import argparse

from fairway.cli import nouns
from fairway.cli.runs import acting, reading

VERBS = {**reading.VERBS, **acting.VERBS}


def arguments(parser: argparse.ArgumentParser) -> None:
    nouns.fill(parser, VERBS)


def run(options: argparse.Namespace) -> int:
    return nouns.act(options)
