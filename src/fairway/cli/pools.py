"""`fairway pools`: how many steps of all runs together may use something at a time."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from fairway.cli import printing
from fairway.cli.nouns import Answer, Noun, Verb
from fairway.pipelines import sdk


def _list(server: sdk.Server, _: argparse.Namespace) -> Answer:
    found = sdk.pools(missing=True, server=server)
    rows = ((one.name, _used(one), one.waiting, one.description) for one in found)
    nothing = "no pools; make one with `fairway pools set NAME SLOTS`"
    columns = ("pool", "used", "waiting", "description")
    return Answer([asdict(one) for one in found], printing.table(columns, rows, nothing))


def _used(one: sdk.Pool) -> str:
    return f"{one.used} of {one.slots}" if one.slots is not None else "missing: steps wait for it"


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("slots", type=int, metavar="SLOTS", help="how many there are for all runs together")
    parser.add_argument("--description", default="", metavar="TEXT")


def _set(server: sdk.Server, options: argparse.Namespace) -> Answer:
    one = sdk.set_pool(options.name, options.slots, description=options.description, server=server)
    return Answer(asdict(one), f"pool {one.name} has {one.slots} slots, {one.used} of them in use")


def _delete_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")


def _delete(server: sdk.Server, options: argparse.Namespace) -> Answer:
    sdk.delete_pool(options.name, server=server)
    return Answer({"name": options.name}, f"pool {options.name} is deleted")


NOUN = Noun(
    {
        "list": Verb("the pools, and how much of each is in use", _list),
        "set": Verb("make a pool, or change it", _set, _set_arguments, "fairway pools set gpu 2"),
        "delete": Verb("remove a pool; steps that want it wait until there is one again", _delete, _delete_arguments),
    }
)
