"""What a step was given, so that it can be run again elsewhere: on a developer's machine, under a debugger.

It is read from the step's task folder, which the engine wrote before the step ran. Values of secrets are not there
and are not given: of a variable that comes from one, only the name is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web
from sqlalchemy import Connection, RowMapping

from fairway.kernel.feature import Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import templates
from fairway.pipelines.api.answers import Failed, answer
from fairway.pipelines.api.context import Context, existing, row
from fairway.pipelines.api.packages import Documents
from fairway.pipelines.ir.model import Container
from fairway.pipelines.render import folders, places, python_steps
from fairway.pipelines.tables import runs, tasks

_BY_REFERENCE = ("secretAsEnv", "configMapAsEnv")
_LARGEST = 64 << 20
_GIVEN = {"command", "args", "executorInput", "defaults", "job", "outputs"}


class Replays:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        return (Route("GET", "/apis/v2beta1/runs/{run}/tasks/{id}:replay", self._get),)

    async def _get(self, request: web.Request) -> web.Response:
        run, id_ = request.match_info["run"], request.match_info["id"]
        task, ran, documents = await self._context.records.read(lambda connection: _found(connection, run, id_))
        pipeline = await asyncio.to_thread(documents.load)
        body = places.find(pipeline, task["scope_path"]).component.body if task["scope_path"] else None
        if not isinstance(body, Container):
            raise Failed(f"{task['display_name']!r} runs nothing that could be run elsewhere; ask for a step")
        if not ran["folder"]:
            raise Failed(f"the step {task['display_name']!r} has not begun, so that nothing was given to it yet")
        given = await self._given(ran)
        return answer({**_given(given), **_environment(body)})

    async def _given(self, ran: RowMapping) -> dict[str, Any]:
        uri, artifacts = f"{ran['folder']}/{folders.TASK}", self._context.artifacts
        entry = await artifacts.find(uri)
        if entry is None:
            raise errors.NotFound("the step's folder is gone, and with it what the step was given")
        try:
            found = orjson.loads(await artifacts.get(uri)) if entry.size <= _LARGEST else None
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict) or not found.keys() >= _GIVEN:
            raise Failed("the step has written over what it was given, and cannot be run again from that")
        return found


def _found(connection: Connection, run: str, id_: str) -> tuple[RowMapping, RowMapping, Documents]:
    """The task, the one that really ran in its place, and the documents of its pipeline."""
    found = existing(connection, runs, run, "run")
    task = existing(connection, tasks, id_, "task")
    if task["run_id"] != run:
        raise errors.NotFound(f'the run "{run}" has no task "{id_}"')
    ran = row(connection, tasks, task["cached_from"]) if task["cached_from"] else None
    return task, ran or task, templates.documents(connection, dict(found))[0]


def _given(task: Mapping[str, Any]) -> dict[str, Any]:
    command = task["command"]
    python = python_steps.recognised(tuple(command))
    return {
        "python": python is not None,
        **({"source": python.source} if python else {}),
        "command": command,
        "args": task["args"],
        "executor_input": task["executorInput"],
        "defaults": task["defaults"],
        "job": task["job"],
        "outputs": task["outputs"],
        "requirements": list(python.requirements) if python else [],
    }


def _environment(body: Container) -> dict[str, Any]:
    """Variables with their values, and the names of those whose values are in secrets or only in the cluster."""
    elsewhere = [
        key["envVar"]
        for setting in _BY_REFERENCE
        for entry in _list(body, setting)
        for key in entry.get("keyToEnv") or ()
    ]
    elsewhere += [entry["name"] for entry in _list(body, "fieldPathAsEnv")]
    return {"env": dict(body.env), "env_elsewhere": sorted(elsewhere)}


def _list(body: Container, setting: str) -> list[Mapping[str, Any]]:
    return list(body.platform.get(setting) or ())
