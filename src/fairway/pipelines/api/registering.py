"""Artifacts of runs that somebody else plays, and what has to do with which of their tasks: KFP 3.0's ArtifactService.

As in `reporting`: what the engine plays, only the engine writes. Bytes are not sent with an artifact; its address says
where they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, func, select

from fairway.kernel.feature import IDENTITY, Identity, Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import artifact_messages, messages
from fairway.pipelines.api.answers import answer
from fairway.pipelines.api.context import Context, existing, new_id
from fairway.pipelines.api.reporting import SOURCES, reported
from fairway.pipelines.api.tasks import task_of
from fairway.pipelines.recording import keep_metrics
from fairway.pipelines.tables import HEAD, artifacts, task_artifacts

_OUTPUTS = ("ITERATOR_OUTPUT", "OUTPUT", "ONE_OF_OUTPUT", "TASK_FINAL_STATUS_OUTPUT")
_MOST = 1000
"""Artifacts or links in one request."""


@dataclass(frozen=True)
class _Link:
    run: str
    task: str
    artifact: str
    type: str
    key: str
    producer: str
    iteration: int | None


class Registering:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("POST", "/apis/v2beta1/artifacts", self._create),
            Route("POST", "/apis/v2beta1/artifacts:batchCreate", self._create_many),
            Route("POST", "/apis/v2beta1/artifact_tasks", self._link),
            Route("POST", "/apis/v2beta1/artifact_tasks:batchCreate", self._link_many),
        )

    async def _create(self, request: web.Request) -> web.Response:
        wanted = await messages.read(request, "CreateArtifactRequest")
        made = await self._created([wanted], request[IDENTITY])
        return answer(made[0])

    async def _create_many(self, request: web.Request) -> web.Response:
        """All of them, or none."""
        body = await messages.read(request, "CreateArtifactsBulkRequest")
        wanted = [messages.part(each, "CreateArtifactRequest", "artifacts") for each in _several(body, "artifacts")]
        if any(each.get("reuse_if_exists") for each in wanted):
            raise errors.BadRequest("reuse_if_exists is for one artifact at a time; use POST /apis/v2beta1/artifacts")
        return answer({"artifacts": await self._created(wanted, request[IDENTITY])})

    async def _link(self, request: web.Request) -> web.Response:
        body = await messages.read(request, "CreateArtifactTaskRequest")
        made = await self._linked([_link_of(body.get("artifact_task"))], request[IDENTITY])
        return answer(made[0])

    async def _link_many(self, request: web.Request) -> web.Response:
        body = await messages.read(request, "CreateArtifactTasksBulkRequest")
        wanted = [_link_of(each) for each in _several(body, "artifact_tasks")]
        return answer({"artifact_tasks": await self._linked(wanted, request[IDENTITY])})

    async def _created(self, wanted: list[dict[str, Any]], caller: Identity) -> list[dict[str, Any]]:
        now = self._context.clock.now()

        def write(connection: Connection) -> list[dict[str, Any]]:
            return [_create(connection, each, caller, now) for each in wanted]

        return await self._context.records.write(write)

    async def _linked(self, wanted: list[_Link], caller: Identity) -> list[dict[str, Any]]:
        def write(connection: Connection) -> list[dict[str, Any]]:
            for link in wanted:
                reported(connection, link.run, caller)
                task_of(connection, link.run, link.task)
                existing(connection, artifacts, link.artifact, "artifact")
            return [_insert(connection, link) for link in wanted]

        return await self._context.records.write(write)


def _create(connection: Connection, wanted: Mapping[str, Any], caller: Identity, now: float) -> dict[str, Any]:
    run = reported(connection, messages.required_name(wanted, "run_id", limit=64), caller)
    task = task_of(connection, run["id"], messages.required_name(wanted, "task_id", limit=64))
    key = messages.required_name(wanted, "producer_key", limit=255)
    values = _artifact(messages.part(wanted.get("artifact"), "Artifact", "artifact"))
    values["namespace"] = run["object_namespace"]
    found = _same(connection, values) if messages.boolean(wanted, "reuse_if_exists") else None
    id_ = found or new_id()
    if not found:
        connection.execute(artifacts.insert().values(id=id_, created_at=now, **values))
    iteration = wanted.get("iteration_index")
    at = None if iteration is None else messages.whole(iteration, "iteration_index")
    _insert(connection, _Link(run["id"], task["id"], id_, "OUTPUT", key, task["name"], at))
    if values["number_value"] is not None:
        keep_metrics(connection, run["id"], {values["name"]: values["number_value"]})
    return artifact_messages.message(existing(connection, artifacts, id_, "artifact"))


def _artifact(fields: Mapping[str, Any]) -> dict[str, Any]:
    word, number = messages.text(fields, "type"), fields.get("number_value")
    if word not in artifact_messages.WORDS:
        raise errors.BadRequest(f"artifact.type is {word!r}, and must be one of {', '.join(artifact_messages.WORDS)}")
    if number is not None and (not isinstance(number, int | float) or not math.isfinite(number)):
        raise errors.BadRequest("artifact.number_value must be a finite number")
    metadata = fields.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise errors.BadRequest("artifact.metadata must be an object")
    return {
        "name": messages.required_name(fields, "name", limit=255),
        "description": messages.text(fields, "description"),
        "type": artifact_messages.title(word, scalar=number is not None),
        "uri": messages.text(fields, "uri", limit=8192),
        "metadata": metadata,
        "number_value": None if number is None else float(number),
    }


def _same(connection: Connection, values: Mapping[str, Any]) -> str | None:
    """The oldest artifact that is the same in everything but its number."""
    same = (artifacts.c[name] == values[name] for name in ("namespace", "type", "uri", "name", "description"))
    head = artifacts.c.uri_head == func.substr(values["uri"], 1, HEAD)
    query = select(artifacts.c.id, artifacts.c.metadata).where(head, *same).order_by(artifacts.c.created_at)
    return next((row.id for row in connection.execute(query) if row.metadata == values["metadata"]), None)


def _link_of(given: Any) -> _Link:
    fields = messages.part(given, "ArtifactTask", "artifact_task")
    type_ = messages.text(fields, "type")
    if type_ not in SOURCES:
        raise errors.BadRequest(f"artifact_task.type is {type_!r}, and must be one of {', '.join(SOURCES)}")
    producer = messages.part(fields.get("producer"), "IOProducer", "artifact_task.producer")
    return _Link(
        run=messages.required_name(fields, "run_id", limit=64),
        task=messages.required_name(fields, "task_id", limit=64),
        artifact=messages.required_name(fields, "artifact_id", limit=64),
        type=type_,
        key=messages.required_name(fields, "key", limit=255),
        producer=messages.text(producer, "task_name", limit=255),
        iteration=messages.whole(producer["iteration"], "iteration") if "iteration" in producer else None,
    )


def _insert(connection: Connection, link: _Link) -> dict[str, Any]:
    """Behind what the task has under this key already."""
    output = link.type in _OUTPUTS
    of_key = (task_artifacts.c.task_id == link.task, task_artifacts.c.output == output)
    count = select(func.count()).where(*of_key, task_artifacts.c.key == link.key)
    values = {
        "task_id": link.task,
        "output": output,
        "key": link.key,
        "position": connection.execute(count).scalar_one(),
        "run_id": link.run,
        "artifact_id": link.artifact,
        "type": link.type,
        "producer_task_name": link.producer,
        "producer_iteration": link.iteration,
    }
    connection.execute(task_artifacts.insert().values(**values))
    return artifact_messages.link(values)


def _several(body: Mapping[str, Any], name: str) -> list[Any]:
    found = list(messages.items(body, name))
    if not 0 < len(found) <= _MOST:
        raise errors.BadRequest(f"{name} must be a list of 1 to {_MOST}")
    return found
