"""`fairway pipelines`: pipelines that are kept by name and version, for schedules, triggers and people to run."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from fairway.cli import nouns, printing
from fairway.cli.nouns import Answer, Noun, Verb
from fairway.cli.runs import reading
from fairway.pipelines import sdk
from fairway.pipelines.sdk import finding, values


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", metavar="PIPELINE", help="its name or id")


def _list(server: sdk.Server, _: argparse.Namespace) -> Answer:
    found = finding.newest(server, finding.PIPELINE)
    columns = ("pipeline", "created", "description")
    return Answer(found, printing.table(columns, _rows(found), "no pipelines; `fairway pipelines upload FILE`"))


def _rows(found: Iterable[dict[str, Any]]) -> Iterable[tuple[str, ...]]:
    for one in found:
        name = one.get("name") or one.get("display_name", "")
        yield name, printing.moment(one.get("created_at", "")), one.get("description", "")


def _show(server: sdk.Server, options: argparse.Namespace) -> Answer:
    found = sdk.find_pipeline(options.pipeline, server=server)
    versions = found.versions()
    table = printing.table(("version", "created", "description"), _rows(versions), "no versions")
    return Answer({"pipeline_id": found.id, "name": found.name, "versions": versions}, table)


def _upload_arguments(parser: argparse.ArgumentParser) -> None:
    nouns.pipeline_file(parser)
    parser.add_argument("--name", default="", help="where it is to be kept (default: the pipeline's own)")
    parser.add_argument("--version", default="", help="the version's name, where the pipeline is there already")


def _upload(server: sdk.Server, options: argparse.Namespace) -> Answer:
    chosen = sdk.pipeline_in(options.file, options.pipeline)
    made = sdk.upload(chosen, options.name, version=options.version, server=server)
    return Answer(
        {"pipeline_id": made.id, "name": made.name}, f"uploaded; run it with `fairway pipelines run {made.name}`"
    )


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    _one(parser)
    nouns.parameters(parser)
    parser.add_argument("--name", default="", help="the run's name")
    parser.add_argument("--experiment", default="", help="the experiment to run in")
    parser.add_argument("--follow", action="store_true", help="draw the run until its end")


def _run(server: sdk.Server, options: argparse.Namespace) -> Answer | int:
    name = sdk.find_pipeline(options.pipeline, server=server).name
    parameters = values.read(options.param)
    made = sdk.submit(name, parameters, name=options.name, experiment=options.experiment, server=server)
    return reading.begun(made, options, "is started")


def _delete(server: sdk.Server, options: argparse.Namespace) -> Answer:
    found = sdk.find_pipeline(options.pipeline, server=server)
    found.delete()
    return Answer({"pipeline_id": found.id}, f"pipeline {found.name} is deleted; its runs stay")


NOUN = Noun(
    {
        "list": Verb("the uploaded pipelines", _list),
        "show": Verb("the versions of a pipeline", _show, _one),
        "upload": Verb(
            "keep a pipeline, or a new version of one",
            _upload,
            _upload_arguments,
            "fairway pipelines upload pipeline.py",
        ),
        "run": Verb("run the newest version", _run, _run_arguments, "fairway pipelines run breast-cancer --follow"),
        "delete": Verb("remove a pipeline with all its versions", _delete, _one),
    }
)
