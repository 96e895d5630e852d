"""What is to be run: read from a request and checked at once, whether the run starts now or later.

A run, a recurring run and a trigger name their pipeline in the same fields. `read` checks them; `values` gives the
columns of `tables.templates`; `documents` finds them again when a kept template starts a run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping

from fairway.artifacts.addresses import NotHere, key_under
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.names import dns_subdomain
from fairway.pipelines import far, given, ir, tables
from fairway.pipelines.api import arguments, messages
from fairway.pipelines.api.answers import Failed, Unsupported, compact
from fairway.pipelines.api.context import Context, existing
from fairway.pipelines.api.experiments import default_experiment
from fairway.pipelines.api.packages import Documents, from_wire
from fairway.pipelines.api.versions import keep, kept, newest, version_of
from fairway.pipelines.tables import experiments

COLUMNS = tuple(column.name for column in tables.templates())

FIELDS = ("experiment_id", "pipeline_spec", "pipeline_version_reference", "runtime_config", "service_account")
"""The fields of a message that say what is run."""


@dataclass(frozen=True)
class Template:
    """`version_id` is the version that was named or found; `follows` says that a pipeline was named and no version."""

    documents: Documents
    pipeline: ir.Pipeline
    pipeline_id: str
    version_id: str
    follows: bool
    experiment_id: str
    parameters: dict[str, Any]
    pipeline_root: str
    service_account: str


async def read(context: Context, fields: Mapping[str, Any], *, partly: bool = False) -> Template:
    """The template in the fields of a Run, a RecurringRun or a Trigger. Raises BadRequest and NotFound.

    With `partly` parameters may be missing that whoever starts the run gives.
    """
    if fields.get("plugins_input"):
        raise Unsupported("plugins (plugins_input) are not supported; leave them out")
    if fields.get("plugins_output"):
        raise errors.Conflict("plugins_output is written by the server alone; leave it out")
    config = messages.part(fields.get("runtime_config"), "RuntimeConfig", "runtime_config")
    account = messages.text(fields, "service_account", limit=253)
    if account and not dns_subdomain(account):
        raise errors.BadRequest(f"service_account: {account!r} is not a service account's name")
    documents, pipeline_id, version_id, follows = await _source(context, fields)
    pipeline = await asyncio.to_thread(documents.load)
    return Template(
        documents=documents,
        pipeline=pipeline,
        pipeline_id=pipeline_id,
        version_id=version_id,
        follows=follows,
        experiment_id=messages.text(fields, "experiment_id", limit=64),
        parameters=arguments.checked(pipeline, config.get("parameters", {}), partly=partly),
        pipeline_root=root(context, config),
        service_account=account,
    )


def values(connection: Connection, template: Template, caller: Identity, now: float, *, later: bool) -> dict[str, Any]:
    """The columns of `tables.templates`. With `later` a pipeline without a version stays so, and follows the newest.

    Raises NotFound, Failed and Forbidden for the experiment.
    """
    chosen = experiment(connection, template.experiment_id, caller, now)
    check_given(connection, template.pipeline, template.parameters, chosen["namespace"])
    digest = keep(connection, template.documents)
    chosen_later = later and template.follows
    return {
        "experiment_id": chosen["id"],
        "namespace": chosen["namespace"],
        "object_namespace": chosen["namespace"],
        "pipeline_id": template.pipeline_id,
        "pipeline_version_id": "" if chosen_later else template.version_id,
        "spec_digest": "" if chosen_later else digest,
        "parameters": template.parameters,
        "pipeline_root": template.pipeline_root,
        "service_account": template.service_account,
    }


def documents(connection: Connection, row: Mapping[str, Any]) -> tuple[Documents, str, str]:
    """(documents, version id, digest) of a kept template: of its version, or of the newest one. Raises NotFound."""
    digest, version = row["spec_digest"], row["pipeline_version_id"]
    if not digest:
        found = newest(connection, row["pipeline_id"])
        digest, version = found["spec_digest"], found["id"]
    return kept(connection, digest), version, digest


def fields_of(connection: Connection, found: RowMapping) -> dict[str, Any]:
    """The fields of a message that say what is run, as they were given."""
    fields: dict[str, Any] = compact(
        {"experiment_id": found["experiment_id"], "service_account": found["service_account"]}
    )
    config: dict[str, Any] = compact({"pipeline_root": found["pipeline_root"]})
    if found["parameters"]:
        config["parameters"] = found["parameters"]
    if config:
        fields["runtime_config"] = config
    if found["pipeline_id"]:
        reference = {"pipeline_id": found["pipeline_id"], "pipeline_version_id": found["pipeline_version_id"]}
        fields["pipeline_version_reference"] = compact(reference)
    else:
        fields["pipeline_spec"] = kept(connection, found["spec_digest"]).wire()
    return fields


def merged(whole: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is run, with the given fields in the place of the old; a package and a reference exclude each other."""
    given = {name: fields[name] for name in FIELDS if name in fields}
    replaced = {"pipeline_spec": "pipeline_version_reference", "pipeline_version_reference": "pipeline_spec"}
    return {**{name: value for name, value in whole.items() if replaced.get(name) not in given}, **given}


def experiment(connection: Connection, asked: str, caller: Identity, now: float) -> RowMapping:
    """The experiment that was asked for, or the default one. Raises NotFound, Failed and Forbidden."""
    found = existing(connection, experiments, asked, "experiment") if asked else default_experiment(connection, now)
    if found["storage_state"] == "ARCHIVED":
        raise Failed(f'the experiment "{found["display_name"]}" is archived; unarchive it or choose another')
    if caller.bound_to not in ("", found["namespace"]):
        raise errors.Forbidden(
            f"{caller.user} may run pipelines in the namespace {caller.bound_to} only: "
            f"name an experiment of it; this one is in {found['namespace']}"
        )
    return found


def check_given(connection: Connection, pipeline: ir.Pipeline, parameters: Mapping[str, Any], namespace: str) -> None:
    """Raise BadRequest where the parameters name an artifact that cannot be given."""
    try:
        given.check(connection, pipeline, parameters, namespace)
    except given.CannotBeGiven as wrong:
        raise errors.BadRequest(str(wrong)) from wrong


def root(context: Context, config: Mapping[str, Any]) -> str:
    """Under the artifacts, or in a bucket. Raises BadRequest."""
    root = messages.text(config, "pipeline_root")
    if root.startswith(far.BUCKETS):
        if not root.partition("://")[2].strip("/"):
            raise errors.BadRequest(f"pipeline_root: {root} names no bucket")
    elif root:
        try:
            key_under(context.artifacts.root, root)
            context.artifacts.local_path(root)
        except NotHere as outside:
            raise errors.BadRequest(f"pipeline_root: {outside}") from outside
    return root


async def _source(context: Context, fields: Mapping[str, Any]) -> tuple[Documents, str, str, bool]:
    """(documents, pipeline id, version id, whether the version was left open); ids are empty for a package."""
    reference = messages.part(
        fields.get("pipeline_version_reference"), "PipelineVersionReference", "pipeline_version_reference"
    )
    pipeline = messages.text(reference, "pipeline_id", limit=64)
    version = messages.text(reference, "pipeline_version_id", limit=64)
    if "pipeline_spec" in fields:
        if pipeline or version:
            raise errors.BadRequest("give either pipeline_spec or pipeline_version_reference, not both")
        return from_wire(fields["pipeline_spec"]), "", "", False
    if not pipeline:
        raise errors.BadRequest("a run needs a pipeline_spec, or a pipeline_version_reference with a pipeline_id")

    def look(connection: Connection) -> tuple[Documents, str, str, bool]:
        found = version_of(connection, pipeline, version) if version else newest(connection, pipeline)
        return kept(connection, found["spec_digest"]), pipeline, found["id"], not version

    return await context.records.read(look)
