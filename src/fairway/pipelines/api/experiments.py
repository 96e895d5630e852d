"""Experiments: named groups of runs. "Default" is there from the start and cannot be deleted."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection, RowMapping, select
from sqlalchemy.exc import IntegrityError

from fairway.kernel.feature import Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages
from fairway.pipelines.api.answers import answer, compact, moment
from fairway.pipelines.api.context import DEFAULT_NAMESPACE, Context, changed, existing, new_id
from fairway.pipelines.api.listing import Listed, order_of, page
from fairway.pipelines.schedules.tables import recurring_runs
from fairway.pipelines.tables import experiments, runs
from fairway.pipelines.triggers.tables import triggers
from fairway.records import inserting

DEFAULT_NAME = "Default"

LISTED = Listed(
    experiments,
    {
        "created_at": experiments.c.created_at,
        "experiment_id": experiments.c.id,
        "id": experiments.c.id,
        "display_name": experiments.c.display_name,
        "name": experiments.c.display_name,
        "last_run_created_at": experiments.c.last_run_created_at,
        "description": experiments.c.description,
        "namespace": experiments.c.namespace,
        "storage_state": experiments.c.storage_state,
    },
    words={"storage_state": str.upper},
)


class Experiments:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        one = "/apis/v2beta1/experiments/{id}"
        return (
            Route("GET", "/apis/v2beta1/experiments", self._list),
            Route("POST", "/apis/v2beta1/experiments", self._create),
            Route("GET", one, self._get),
            Route("DELETE", one, self._delete),
            Route("POST", f"{one}:archive", self._archive),
            Route("POST", f"{one}:unarchive", self._unarchive),
        )

    async def _list(self, request: web.Request) -> web.Response:
        order = order_of(request, LISTED)
        asked = request.query.get("namespace", "")
        where = [experiments.c.namespace == await self._context.namespace(asked)] if asked else []
        found = await self._context.records.read(lambda connection: page(connection, LISTED, order, *where))
        return answer(found.wire("experiments", [message(row) for row in found.rows]))

    async def _create(self, request: web.Request) -> web.Response:
        fields = await messages.read(request, "Experiment")
        values = {
            "id": new_id(),
            "display_name": messages.required_name(fields, "display_name"),
            "description": messages.text(fields, "description"),
            "namespace": await self._context.namespace(messages.text(fields, "namespace")),
            "storage_state": "AVAILABLE",
            "created_at": self._context.clock.now(),
            "last_run_created_at": 0.0,
        }
        try:
            await self._context.records.write(lambda connection: connection.execute(experiments.insert(), values))
        except IntegrityError as taken:
            raise errors.AlreadyExists(
                f'there is an experiment "{values["display_name"]}" already; choose another name'
            ) from taken
        return answer(message(values))

    async def _get(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        return answer(message(await self._context.records.read(lambda c: existing(c, experiments, id_, "experiment"))))

    async def _delete(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]

        def delete(connection: Connection) -> None:
            found = existing(connection, experiments, id_, "experiment")
            if found["display_name"] == DEFAULT_NAME and found["namespace"] == DEFAULT_NAMESPACE:
                raise errors.Conflict('the experiment "Default" takes the runs that name none, and cannot be deleted')
            connection.execute(experiments.delete().where(experiments.c.id == id_))

        await self._context.records.write(delete)
        return answer({})

    async def _archive(self, request: web.Request) -> web.Response:
        """Its runs with it; what starts runs in it is disabled."""
        id_, now = request.match_info["id"], self._context.clock.now()

        def archive(connection: Connection) -> None:
            existing(connection, experiments, id_, "experiment")
            changed(connection, experiments, id_, storage_state="ARCHIVED")
            connection.execute(runs.update().where(runs.c.experiment_id == id_).values(storage_state="ARCHIVED"))
            connection.execute(triggers.update().where(triggers.c.experiment_id == id_).values(enabled=False))
            off = {"enabled": False, "updated_at": now}
            connection.execute(recurring_runs.update().where(recurring_runs.c.experiment_id == id_).values(**off))

        await self._context.records.write(archive)
        return answer({})

    async def _unarchive(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]

        def unarchive(connection: Connection) -> None:
            existing(connection, experiments, id_, "experiment")
            changed(connection, experiments, id_, storage_state="AVAILABLE")

        await self._context.records.write(unarchive)
        return answer({})


def default_experiment(connection: Connection, now: float) -> RowMapping:
    """The experiment of runs that name none, made where it is missing."""
    named_default = (experiments.c.display_name == DEFAULT_NAME) & (experiments.c.namespace == DEFAULT_NAMESPACE)
    query = select(experiments).where(named_default)
    found = connection.execute(query).first()
    if found is None:
        values = {
            "id": new_id(),
            "display_name": DEFAULT_NAME,
            "description": "Runs that name no experiment.",
            "namespace": DEFAULT_NAMESPACE,
            "storage_state": "AVAILABLE",
            "created_at": now,
        }
        # Two servers that start together on new records make it once.
        connection.execute(inserting.insert(connection, experiments).values(values).on_conflict_do_nothing())
        found = connection.execute(query).one()
    return found._mapping


def message(row: RowMapping | dict[str, Any]) -> dict[str, Any]:
    return compact(
        {
            "experiment_id": row["id"],
            "display_name": row["display_name"],
            "description": row["description"],
            "created_at": moment(row["created_at"]),
            "namespace": row["namespace"],
            "storage_state": row["storage_state"],
            "last_run_created_at": moment(row["last_run_created_at"]),
        }
    )
