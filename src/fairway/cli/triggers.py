"""`fairway triggers`: pipelines that run because a run ended, an artifact came, or somebody called."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from fairway.cli import nouns, printing
from fairway.cli.nouns import Answer, Noun, Verb
from fairway.pipelines import sdk
from fairway.pipelines.sdk import finding, values


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trigger", metavar="TRIGGER", help="its id, or a name that only one has")


def _found(server: sdk.Server, options: argparse.Namespace) -> sdk.Trigger:
    return sdk.find_trigger(options.trigger, server=server)


def _list(server: sdk.Server, _: argparse.Namespace) -> Answer:
    found = finding.newest(server, finding.TRIGGER)
    rows = (
        (
            one.get("display_name", ""),
            what(one),
            one.get("status", "").lower(),
            printing.moment(one.get("fired_at", "")),
            one["trigger_id"],
        )
        for one in found
    )
    nothing = "no triggers; `fairway triggers create --help` says how to make one"
    columns = ("trigger", "fires for", "status", "last", "id")
    return Answer([_without_spec(one) for one in found], printing.table(columns, rows, nothing))


def what(record: Mapping[str, Any]) -> str:
    """What a trigger fires for, in a few words."""
    if "run" in record:
        source = record["run"]
        whose = source.get("pipeline_name") or "any pipeline"
        return f"runs of {whose} that are {' or '.join(source.get('states', ['SUCCEEDED'])).lower()}"
    if "artifact" in record:
        source = record["artifact"]
        return f"artifacts {', '.join(f'{key}={value}' for key, value in source.items())}"
    return "calls of its webhook"


def _show(server: sdk.Server, options: argparse.Namespace) -> Answer:
    found = _found(server, options)
    record, events = _without_spec(found.record()), found.events()
    rows = (
        (
            printing.moment(one.get("created_at", "")),
            one.get("state", "").lower(),
            one.get("run_id", "")[: printing.SHORT],
            one.get("about", ""),
        )
        for one in events
    )
    facts = printing.table(("fired", "state", "run", "about"), rows, f"fires for {what(record)}; it has not yet")
    return Answer({**record, "url": found.url, "events": events}, facts)


def _without_spec(record: Mapping[str, Any]) -> dict[str, Any]:
    """Without the pipeline, which is long."""
    return {key: value for key, value in record.items() if key != "pipeline_spec"}


def _create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", metavar="PIPELINE", help="a file, or the name of an uploaded pipeline")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--on-run-of", metavar="PIPELINE", help="whenever a run of this pipeline ends")
    source.add_argument("--on-artifact", metavar="NAME", help="whenever a run makes an artifact of this name")
    source.add_argument("--on-file", metavar="PATH", help="whenever this file or folder changes")
    source.add_argument("--webhook", action="store_true", help="whenever somebody calls; prints address and token once")
    parser.add_argument("--state", action="append", metavar="STATE", help="of --on-run-of (default: succeeded); repeat")
    nouns.parameters(parser)
    parser.add_argument("--name", default="", help="the trigger's name")
    parser.add_argument("--experiment", default="", help="the experiment that its runs are in")
    parser.add_argument("--at-a-time", type=int, default=1, metavar="N", help="most runs at a time (default: 1)")


def _create(server: sdk.Server, options: argparse.Namespace) -> Answer:
    parameters = values.read(options.param)
    common: dict[str, Any] = {
        "name": options.name,
        "experiment": options.experiment,
        "max_concurrency": options.at_a_time,
        "server": server,
    }
    if options.state and not options.on_run_of:
        raise sdk.Failure("--state goes with --on-run-of")
    if options.on_run_of:
        states = [state.upper() for state in options.state or ["succeeded"]]
        made = sdk.trigger_on_run(options.pipeline, parameters, of=options.on_run_of, states=states, **common)
    elif options.webhook:
        made = sdk.webhook(options.pipeline, parameters, **common)
    elif options.on_artifact:
        made = sdk.trigger_on_artifact(options.pipeline, parameters, artifact=options.on_artifact, **common)
    else:
        made = sdk.trigger_on_artifact(options.pipeline, parameters, uri=options.on_file, **common)
    return _new(made, f"trigger {made.id}")


def _new(made: sdk.Trigger, said: str) -> Answer:
    if not made.token:
        return Answer({"trigger_id": made.id}, said)
    data = {"trigger_id": made.id, "url": made.url, "token": made.token}
    return Answer(data, f"{said}\n  POST   {made.url}\n  token  {made.token}   (shown once: keep it)")


def _rotate(server: sdk.Server, options: argparse.Namespace) -> Answer:
    return _new(_found(server, options).rotate(), "the old token is no longer good")


def _simply(act: Callable[[sdk.Trigger], None], said: str) -> nouns.Run:
    def verb(server: sdk.Server, options: argparse.Namespace) -> Answer:
        found = _found(server, options)
        act(found)
        return Answer({"trigger_id": found.id}, said)

    return verb


NOUN = Noun(
    {
        "list": Verb("the triggers and what they fire for", _list),
        "show": Verb("what a trigger has fired for", _show, _one),
        "create": Verb(
            "run a pipeline whenever something happens",
            _create,
            _create_arguments,
            "fairway triggers create report.py --on-run-of train --param run=[[trigger.run_id]]",
        ),
        "enable": Verb("let it fire again", _simply(sdk.Trigger.enable, "enabled"), _one),
        "disable": Verb("fire for nothing until it is enabled", _simply(sdk.Trigger.disable, "disabled"), _one),
        "rotate": Verb("a new token for a webhook", _rotate, _one),
        "delete": Verb("remove a trigger; its runs stay", _simply(sdk.Trigger.delete, "deleted; its runs stay"), _one),
    }
)
