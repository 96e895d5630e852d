"""`fairway notices`: who is told when runs fail, succeed, are late or ask a person."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from fairway.cli import nouns, printing
from fairway.cli.nouns import Answer, Noun, Verb
from fairway.pipelines import sdk
from fairway.pipelines.sdk import finding


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notice", metavar="NOTICE", help="its id, or a name that only one has")


def _list(server: sdk.Server, _: argparse.Namespace) -> Answer:
    found = finding.newest(server, finding.NOTICE)
    rows = (
        (
            one.get("display_name", ""),
            ", ".join(one.get("events", ())).lower(),
            _to(one),
            one.get("status", "").lower(),
            one["notice_id"],
        )
        for one in found
    )
    nothing = "no notices; `fairway notices create --help` says how to make one"
    return Answer(found, printing.table(("notice", "of runs that are", "to", "status", "id"), rows, nothing))


def _to(record: Mapping[str, Any]) -> str:
    if "webhook" in record:
        return str(record["webhook"].get("url", ""))
    return ", ".join((record.get("email") or {}).get("to", ()))


def _create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--on",
        action="append",
        metavar="EVENT",
        help="failed (the default), succeeded, canceled, late, approval; repeat",
    )
    parser.add_argument("--webhook", default="", metavar="URL", help="send a POST there")
    parser.add_argument("--secret", default="", metavar="NAME[/KEY]", help="of a Secret that calls are signed with")
    parser.add_argument("--email", action="append", default=[], metavar="ADDRESS", help="send mail there; repeat")
    parser.add_argument("--pipeline", default="", metavar="NAME", help="only for runs of this pipeline")
    parser.add_argument("--experiment", default="", metavar="NAME", help="only for runs of this experiment")
    parser.add_argument("--schedule", default="", metavar="NAME", help="only for runs of this schedule")
    parser.add_argument("--name", default="", help="the notice's name")


def _create(server: sdk.Server, options: argparse.Namespace) -> Answer:
    made = sdk.notify(
        on=options.on or ["failed"],
        webhook=options.webhook,
        email=options.email,
        secret=options.secret,
        pipeline=options.pipeline,
        experiment=options.experiment,
        schedule=options.schedule,
        name=options.name,
        server=server,
    )
    return Answer({"notice_id": made.id}, f"notice {made.id}; try it with `fairway notices test {made.id}`")


def _test(server: sdk.Server, options: argparse.Namespace) -> Answer:
    told = sdk.find_notice(options.notice, server=server).test()
    return Answer(told, _outcome(told))


def _deliveries(server: sdk.Server, options: argparse.Namespace) -> Answer:
    found = sdk.find_notice(options.notice, server=server).deliveries()
    rows = (
        (
            printing.moment(one.get("created_at", "")),
            one.get("event", "").lower(),
            one.get("run_id", "")[: printing.SHORT],
            _outcome(one),
        )
        for one in found
    )
    return Answer(found, printing.table(("when", "event", "run", "outcome"), rows, "nothing was sent yet"))


def _outcome(told: Mapping[str, Any]) -> str:
    problem = (told.get("error") or {}).get("message", "")
    return f"{told.get('state', '').lower()}{f': {problem}' if problem else ''}"


def _simply(act: Callable[[sdk.Notice], None], said: str) -> nouns.Run:
    def verb(server: sdk.Server, options: argparse.Namespace) -> Answer:
        found = sdk.find_notice(options.notice, server=server)
        act(found)
        return Answer({"notice_id": found.id}, said)

    return verb


NOUN = Noun(
    {
        "list": Verb("the rules by which people and programs are told of runs", _list),
        "create": Verb(
            "tell somebody of runs",
            _create,
            _create_arguments,
            "fairway notices create --on failed --on late --webhook https://chat.example/hook",
        ),
        "test": Verb("send one now", _test, _one),
        "deliveries": Verb("what was sent, and how it went", _deliveries, _one),
        "enable": Verb("tell again", _simply(sdk.Notice.enable, "enabled"), _one),
        "disable": Verb("tell nothing until it is enabled", _simply(sdk.Notice.disable, "disabled"), _one),
        "delete": Verb("remove a rule", _simply(sdk.Notice.delete, "deleted"), _one),
    }
)
