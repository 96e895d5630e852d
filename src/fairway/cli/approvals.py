"""`fairway approvals`: the questions that steps ask before they start, and answering them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields

from fairway.cli import nouns, printing
from fairway.cli.nouns import Answer, Noun, Verb
from fairway.pipelines import sdk
from fairway.pipelines.sdk import approving


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="also those that were answered")


def _list(server: sdk.Server, options: argparse.Namespace) -> Answer:
    found = sdk.approvals(state="" if options.all else approving.WAITING, server=server)
    rows = (
        (one.run_id[: printing.SHORT], one.step, one.question, printing.moment(one.asked_at), _said(one))
        for one in found
    )
    columns = ("run", "step", "question", "asked", "answer")
    names = [each.name for each in fields(sdk.Approval) if each.name != "api"]
    data = [{name: getattr(one, name) for name in names} for one in found]
    return Answer(data, printing.table(columns, rows, "no step waits for an answer"))


def _said(one: sdk.Approval) -> str:
    if one.state == approving.WAITING:
        return "waiting"
    comment = f": {one.comment}" if one.comment else ""
    return f"{one.state.lower()} by {one.decided_by}{comment}"


def _answer_arguments(parser: argparse.ArgumentParser) -> None:
    nouns.one_run(parser)
    parser.add_argument("step", nargs="?", default="", metavar="STEP", help="where several steps of the run ask")
    parser.add_argument("--comment", default="", metavar="TEXT", help="what others are to know")


def _deciding(decide: Callable[[sdk.Approval, str], None], said: str) -> nouns.Run:
    def verb(server: sdk.Server, options: argparse.Namespace) -> Answer:
        found = approving.find(sdk.run(options.run, server=server).approvals(), options.step)
        decide(found, options.comment)
        return Answer({"run_id": found.run_id, "step": found.step}, f"{found.step} is {said}: {found.question}")

    return verb


NOUN = Noun(
    {
        "list": Verb("the questions that wait for an answer", _list, _list_arguments),
        "approve": Verb(
            "let the step start",
            _deciding(sdk.Approval.approve, "approved"),
            _answer_arguments,
            'fairway approvals approve last deploy --comment "looks good"',
        ),
        "reject": Verb("fail the step", _deciding(sdk.Approval.reject, "rejected"), _answer_arguments),
    }
)
