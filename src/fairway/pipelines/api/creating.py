"""A new run: from the request to its record. Everything that can be wrong with it is said here, at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from fairway.artifacts.addresses import NotHere, key_under
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.names import dns_subdomain
from fairway.pipelines.api import arguments, messages
from fairway.pipelines.api.answers import Failed, Unsupported
from fairway.pipelines.api.context import Context, changed, existing, new_id
from fairway.pipelines.api.experiments import default_experiment
from fairway.pipelines.api.packages import Documents, from_wire
from fairway.pipelines.api.versions import keep, kept, newest, version_of
from fairway.pipelines.tables import experiments, run_states, runs


@dataclass(frozen=True)
class _Source:
    """What is run: documents, and the version they are of (empty for a package in the request)."""

    documents: Documents
    pipeline_id: str = ""
    version_id: str = ""


async def create(context: Context, fields: Mapping[str, Any], caller: Identity) -> str:
    """Write the record of a new run and give its id. Raises BadRequest, NotFound and Forbidden."""
    if fields.get("plugins_input"):
        raise Unsupported("plugins (plugins_input) are not supported; leave them out")
    config = messages.part(fields.get("runtime_config"), "RuntimeConfig", "runtime_config")
    account = messages.text(fields, "service_account", limit=253)
    if account and not dns_subdomain(account):
        raise errors.BadRequest(f"service_account: {account!r} is not a service account's name")
    source = await _source(context, fields)
    pipeline = await asyncio.to_thread(source.documents.load)
    parameters = arguments.checked(pipeline, config.get("parameters", {}))
    id_, now = new_id(), context.clock.now()
    name = messages.text(fields, "display_name", limit=messages.NAME_LIMIT).strip()
    asked = messages.text(fields, "experiment_id", limit=64)
    values = {
        "id": id_,
        "display_name": name or f"{pipeline.name} {datetime.fromtimestamp(now, UTC):%Y-%m-%d %H-%M-%S}",
        "description": messages.text(fields, "description"),
        "storage_state": "AVAILABLE",
        "state": "PENDING",
        "pipeline_id": source.pipeline_id,
        "pipeline_version_id": source.version_id,
        "pipeline_name": pipeline.name,
        "parameters": parameters,
        "pipeline_root": _root(context, config),
        "service_account": account,
        "created_at": now,
        "scheduled_at": now,
        "outputs": {},
    }

    def write(connection: Connection) -> str:
        experiment = (
            existing(connection, experiments, asked, "experiment") if asked else default_experiment(connection, now)
        )
        if experiment["storage_state"] == "ARCHIVED":
            raise Failed(f'the experiment "{experiment["display_name"]}" is archived; unarchive it or choose another')
        if caller.bound_to not in ("", experiment["namespace"]):
            raise errors.Forbidden(
                f"{caller.user} may run pipelines in the namespace {caller.bound_to} only: "
                f"name an experiment of it; this one is in {experiment['namespace']}"
            )
        digest = keep(connection, source.documents)
        place = {"namespace": experiment["namespace"], "object_namespace": experiment["namespace"]}
        connection.execute(runs.insert().values(**values, **place, experiment_id=experiment["id"], spec_digest=digest))
        connection.execute(run_states.insert().values(run_id=id_, state="PENDING", at=now))
        changed(connection, experiments, experiment["id"], last_run_created_at=now)
        return id_

    return await context.records.write(write)


def _root(context: Context, config: Mapping[str, Any]) -> str:
    root = messages.text(config, "pipeline_root")
    if root:
        try:
            key_under(context.artifacts.root, root)
            context.artifacts.local_path(root)
        except NotHere as outside:
            raise errors.BadRequest(f"pipeline_root: {outside}") from outside
    return root


async def _source(context: Context, fields: Mapping[str, Any]) -> _Source:
    reference = messages.part(
        fields.get("pipeline_version_reference"), "PipelineVersionReference", "pipeline_version_reference"
    )
    pipeline = messages.text(reference, "pipeline_id", limit=64)
    version = messages.text(reference, "pipeline_version_id", limit=64)
    if "pipeline_spec" in fields:
        if pipeline or version:
            raise errors.BadRequest("give either pipeline_spec or pipeline_version_reference, not both")
        return _Source(from_wire(fields["pipeline_spec"]))
    if not pipeline:
        raise errors.BadRequest("a run needs a pipeline_spec, or a pipeline_version_reference with a pipeline_id")

    def read(connection: Connection) -> _Source:
        found = version_of(connection, pipeline, version) if version else newest(connection, pipeline)
        return _Source(kept(connection, found["spec_digest"]), pipeline, found["id"])

    return await context.records.read(read)
