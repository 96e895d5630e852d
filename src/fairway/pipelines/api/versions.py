"""Versions of pipelines: each holds one package, which never changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, RowMapping, func, select
from sqlalchemy.exc import IntegrityError

from fairway.kernel.feature import IDENTITY, Identity, Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import fetched, messages
from fairway.pipelines.api.answers import answer, compact, moment
from fairway.pipelines.api.context import Context, changed, existing, new_id
from fairway.pipelines.api.listing import Listed, order_of, page
from fairway.pipelines.api.packages import Documents, from_body
from fairway.pipelines.api.tagging import set_tags, tags_of
from fairway.pipelines.schedules.tables import recurring_runs
from fairway.pipelines.tables import pipeline_versions, pipelines, specs, tags
from fairway.pipelines.triggers.tables import triggers
from fairway.records import inserting

LISTED = Listed(
    pipeline_versions,
    {
        "created_at": pipeline_versions.c.created_at,
        "pipeline_version_id": pipeline_versions.c.id,
        "id": pipeline_versions.c.id,
        "name": pipeline_versions.c.name,
        "display_name": pipeline_versions.c.display_name,
        "description": pipeline_versions.c.description,
        "status": func.upper("READY"),  # of every version: what cannot be used is refused before it is kept
    },
    tagged=True,
    words={"status": str.upper},
)
VERSION_NAME_LIMIT = 127


class Versions:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        all_ = "/apis/v2beta1/pipelines/{pipeline}/versions"
        one = f"{all_}/{{id}}"
        return (
            Route("GET", all_, self._list),
            Route("POST", all_, self._create),
            Route("GET", one, self._get),
            Route("PATCH", one, self._patch),
            Route("DELETE", one, self._delete),
        )

    async def _list(self, request: web.Request) -> web.Response:
        order, pipeline = order_of(request, LISTED), request.match_info["pipeline"]

        def read(connection: Connection) -> dict[str, Any]:
            existing(connection, pipelines, pipeline, "pipeline")
            of_it = pipeline_versions.c.pipeline_id == pipeline
            found = page(connection, LISTED, order, of_it, weigh=weights)
            return found.wire("pipeline_versions", _messages(connection, found.rows))

        return answer(await self._context.records.read(read))

    async def _create(self, request: web.Request) -> web.Response:
        pipeline = request.match_info["pipeline"]
        fields = await messages.read(request, "PipelineVersion")
        if fields.get("pipeline_id", pipeline) != pipeline:
            raise errors.BadRequest("pipeline_id in the body differs from the one in the address")
        caller = request[IDENTITY]
        documents = await fetched.documents_of(fields, caller)
        return answer(await create(self._context, pipeline, fields, documents, caller))

    # A version is found by its own id, whatever pipeline the address names before it: upstream's tests hold it so.

    async def _get(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        return answer(await self._context.records.read(lambda connection: _one(connection, id_)))

    async def _patch(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        fields = await messages.read(request, "PipelineVersion")

        def patch(connection: Connection) -> dict[str, Any]:
            values = messages.patched(fields, _one(connection, id_), limit=VERSION_NAME_LIMIT)
            if values:
                changed(connection, pipeline_versions, id_, **values)
            if "tags" in fields:
                set_tags(connection, id_, messages.tags(fields))
            return _one(connection, id_)

        return answer(await self._context.records.write(patch))

    async def _delete(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]

        def delete(connection: Connection) -> None:
            existing(connection, pipeline_versions, id_, "pipeline version")
            connection.execute(tags.delete().where(tags.c.owner_id == id_))
            connection.execute(pipeline_versions.delete().where(pipeline_versions.c.id == id_))

        await self._context.records.write(delete)
        return answer({})


async def create(
    context: Context, pipeline: str, fields: Mapping[str, Any], documents: Documents, caller: Identity
) -> dict[str, Any]:
    now = context.clock.now()

    def write(connection: Connection) -> dict[str, Any]:
        existing(connection, pipelines, pipeline, "pipeline")
        _check_followers(connection, pipeline, caller)
        return insert(connection, pipeline, fields, documents, now)

    try:
        return await context.records.write(write)
    except IntegrityError as taken:
        raise errors.AlreadyExists("the pipeline has a version of this name already; choose another name") from taken


def insert(
    connection: Connection, pipeline: str, fields: Mapping[str, Any], documents: Documents, now: float
) -> dict[str, Any]:
    name, display_name = messages.named(fields, limit=VERSION_NAME_LIMIT)
    id_ = new_id()
    values = {
        "id": id_,
        "pipeline_id": pipeline,
        "name": name,
        "display_name": display_name,
        "description": messages.text(fields, "description"),
        "code_source_url": messages.text(fields, "code_source_url"),
        "package_url": str((fields.get("package_url") or {}).get("pipeline_url") or ""),
        "spec_digest": keep(connection, documents),
        "created_at": now,
    }
    connection.execute(pipeline_versions.insert(), values)
    set_tags(connection, id_, messages.tags(fields))
    return _one(connection, id_)


def _check_followers(connection: Connection, pipeline: str, caller: Identity) -> None:
    """What schedules or triggers take by themselves is code that runs in their namespace. Raises Forbidden."""
    if not caller.bound_to:
        return
    for table in (recurring_runs, triggers):
        follows = (table.c.pipeline_id == pipeline) & (table.c.pipeline_version_id == "")
        query = select(table.c.namespace).where(follows, table.c.namespace != caller.bound_to).limit(1)
        if (namespace := connection.execute(query).scalar()) is not None:
            raise errors.Forbidden(
                f"{caller.user} may have code run in the namespace {caller.bound_to} only, and a schedule or a trigger "
                f"of {namespace} runs the newest version of this pipeline; upload it under another name"
            )


def keep(connection: Connection, documents: Documents) -> str:
    """Store the documents, where they are not stored yet, and give their digest."""
    digest = documents.digest()
    values = {"digest": digest, "body": documents.body().decode()}
    connection.execute(inserting.insert(connection, specs).values(values).on_conflict_do_nothing())
    return digest


def kept(connection: Connection, digest: str) -> Documents:
    return from_body(connection.execute(select(specs.c.body).where(specs.c.digest == digest)).scalar_one())


def weights(connection: Connection, rows: Sequence[RowMapping], reference: str = "") -> list[int]:
    """How large the documents are that go with each row, where the column `reference` names none elsewhere."""
    digests = ["" if reference and row[reference] else row["spec_digest"] for row in rows]
    query = select(specs.c.digest, func.length(specs.c.body)).where(specs.c.digest.in_(set(digests) - {""}))
    sizes = {row[0]: row[1] for row in connection.execute(query)} if any(digests) else {}
    return [sizes.get(digest, 0) for digest in digests]


def version_of(connection: Connection, pipeline: str, id_: str) -> RowMapping:
    """The version that a run names together with its pipeline."""
    found = existing(connection, pipeline_versions, id_, "pipeline version")
    if found["pipeline_id"] != pipeline:
        raise errors.BadRequest(
            f'the version "{id_}" is one of the pipeline "{found["pipeline_id"]}", not "{pipeline}"'
        )
    return found


def newest(connection: Connection, pipeline: str) -> RowMapping:
    existing(connection, pipelines, pipeline, "pipeline")
    query = select(pipeline_versions).where(pipeline_versions.c.pipeline_id == pipeline)
    latest = query.order_by(pipeline_versions.c.created_at.desc(), pipeline_versions.c.id.desc()).limit(1)
    found = connection.execute(latest).first()
    if found is None:
        raise errors.NotFound(f'the pipeline "{pipeline}" has no version yet; upload one')
    return found._mapping


def _one(connection: Connection, id_: str) -> dict[str, Any]:
    return _messages(connection, [existing(connection, pipeline_versions, id_, "pipeline version")])[0]


def _messages(connection: Connection, rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    labels = tags_of(connection, [row["id"] for row in rows])
    digests = {row["spec_digest"] for row in rows}
    bodies = {digest: kept(connection, digest).wire() for digest in digests}
    return [_message(row, bodies[row["spec_digest"]], labels.get(row["id"], {})) for row in rows]


def _message(row: RowMapping, spec: dict[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    return compact(
        {
            "pipeline_id": row["pipeline_id"],
            "pipeline_version_id": row["id"],
            "name": row["name"],
            "display_name": row["display_name"],
            "description": row["description"],
            "created_at": moment(row["created_at"]),
            "package_url": compact({"pipeline_url": row["package_url"]}),
            "code_source_url": row["code_source_url"],
            "pipeline_spec": spec,
            "tags": dict(labels),
        }
    )
