"""Pipelines: a name with versions. Their packages come by `uploads`, or inline with `versions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, RowMapping, func, select
from sqlalchemy.exc import IntegrityError

from fairway.kernel.feature import IDENTITY, Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import fetched, messages, versions
from fairway.pipelines.api.answers import answer, compact, moment
from fairway.pipelines.api.context import Context, changed, existing, new_id
from fairway.pipelines.api.listing import Listed, order_of, page
from fairway.pipelines.api.packages import Documents
from fairway.pipelines.api.tagging import set_tags, tags_of
from fairway.pipelines.tables import pipeline_versions, pipelines, tags

LISTED = Listed(
    pipelines,
    {
        "created_at": pipelines.c.created_at,
        "pipeline_id": pipelines.c.id,
        "id": pipelines.c.id,
        "name": pipelines.c.name,
        "display_name": pipelines.c.display_name,
        "description": pipelines.c.description,
        "namespace": pipelines.c.namespace,
    },
    tagged=True,
)


class Pipelines:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        one = "/apis/v2beta1/pipelines/{id}"
        return (
            Route("GET", "/apis/v2beta1/pipelines", self._list),
            Route("POST", "/apis/v2beta1/pipelines", self._create),
            Route("POST", "/apis/v2beta1/pipelines/create", self._create_with_version),
            Route("GET", "/apis/v2beta1/pipelines/names/{name}", self._get_by_name),
            Route("GET", one, self._get),
            Route("PATCH", one, self._patch),
            Route("DELETE", one, self._delete),
        )

    async def _list(self, request: web.Request) -> web.Response:
        order = order_of(request, LISTED)
        asked = request.query.get("namespace", "")
        where = [pipelines.c.namespace == await self._context.namespace(asked)] if asked else []

        def read(connection: Connection) -> dict[str, Any]:
            found = page(connection, LISTED, order, *where)
            return found.wire("pipelines", with_tags(connection, found.rows))

        return answer(await self._context.records.read(read))

    async def _create(self, request: web.Request) -> web.Response:
        fields = await messages.read(request, "Pipeline")
        return answer(await create(self._context, fields, None))

    async def _create_with_version(self, request: web.Request) -> web.Response:
        body = await messages.read(request, "CreatePipelineAndVersionRequest")
        fields = messages.part(body.get("pipeline"), "Pipeline", "pipeline")
        version = messages.part(body.get("pipeline_version"), "PipelineVersion", "pipeline_version")
        documents = await fetched.documents_of(version, request[IDENTITY])
        return answer(await create(self._context, fields, (version, documents)))

    async def _get(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        return answer(await self._context.records.read(lambda connection: _one(connection, id_)))

    async def _get_by_name(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        namespace = await self._context.namespace(request.query.get("namespace", ""))

        def read(connection: Connection) -> dict[str, Any]:
            where = (pipelines.c.name == name) & (pipelines.c.namespace == namespace)
            found = connection.execute(select(pipelines).where(where)).first()
            if found is None:
                raise errors.NotFound(f'there is no pipeline named "{name}"')
            return with_tags(connection, [found._mapping])[0]

        return answer(await self._context.records.read(read))

    async def _patch(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        fields = await messages.read(request, "Pipeline")

        def patch(connection: Connection) -> dict[str, Any]:
            values = messages.patched(fields, _one(connection, id_))
            if values:
                changed(connection, pipelines, id_, **values)
            if "tags" in fields:
                set_tags(connection, id_, messages.tags(fields))
            return _one(connection, id_)

        return answer(await self._context.records.write(patch))

    async def _delete(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        cascade = messages.flag(request, "cascade")

        def delete(connection: Connection) -> None:
            existing(connection, pipelines, id_, "pipeline")
            owned = select(pipeline_versions.c.id).where(pipeline_versions.c.pipeline_id == id_)
            count = connection.execute(select(func.count()).select_from(owned.subquery())).scalar_one()
            if count and not cascade:
                raise errors.BadRequest(
                    f"the pipeline has {count} versions; delete them first, or ask with cascade=true"
                )
            connection.execute(tags.delete().where((tags.c.owner_id == id_) | tags.c.owner_id.in_(owned)))
            connection.execute(pipelines.delete().where(pipelines.c.id == id_))

        await self._context.records.write(delete)
        return answer({})


async def create(
    context: Context, fields: Mapping[str, Any], first: tuple[Mapping[str, Any], Documents] | None
) -> dict[str, Any]:
    """A new pipeline, with its first version where one is given: both, or neither."""
    name, display_name = messages.named(fields)
    id_, now = new_id(), context.clock.now()
    values = {
        "id": id_,
        "name": name,
        "display_name": display_name,
        "description": messages.text(fields, "description"),
        "namespace": await context.namespace(messages.text(fields, "namespace")),
        "created_at": now,
    }
    labels = messages.tags(fields)

    def write(connection: Connection) -> dict[str, Any]:
        connection.execute(pipelines.insert(), values)
        set_tags(connection, id_, labels)
        if first is not None:
            # What the first version does not say of itself it has from the pipeline, as upstream does it.
            own = {"name": name, "display_name": display_name, "description": values["description"], **first[0]}
            versions.insert(connection, id_, own, first[1], now)
        return _one(connection, id_)

    try:
        return await context.records.write(write)
    except IntegrityError as taken:
        raise errors.AlreadyExists(
            f'there is a pipeline "{name}" already; choose another name, or upload a new version of it'
        ) from taken


def with_tags(connection: Connection, rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    labels = tags_of(connection, [row["id"] for row in rows])
    return [_message(row, labels.get(row["id"], {})) for row in rows]


def _one(connection: Connection, id_: str) -> dict[str, Any]:
    return with_tags(connection, [existing(connection, pipelines, id_, "pipeline")])[0]


def _message(row: RowMapping, labels: Mapping[str, str]) -> dict[str, Any]:
    return compact(
        {
            "pipeline_id": row["id"],
            "name": row["name"],
            "display_name": row["display_name"],
            "description": row["description"],
            "created_at": moment(row["created_at"]),
            "namespace": row["namespace"],
            "tags": dict(labels),
        }
    )
