"""Tasks of runs that somebody else plays: created and changed by whoever plays them, as KFP 3.0's drivers do it.

A run is somebody else's when it was created with `external`; it has no Run object and no pods of ours. What the engine
plays, only the engine writes: two writers of one graph would take each other's steps for their own.

The run follows its ROOT task: it runs when that runs and ends as that ends. Parameters that are reported are added to
those that are there; everything else that is reported replaces what was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, RowMapping, select

from fairway.kernel.feature import IDENTITY, Identity, Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages
from fairway.pipelines.api.answers import Failed, Unsupported, answer
from fairway.pipelines.api.context import Context, changed, existing, new_id
from fairway.pipelines.api.task_messages import of_tasks
from fairway.pipelines.api.tasks import task_of
from fairway.pipelines.tables import run_states, runs, tasks
from fairway.pipelines.tasks import ENDING, OVER

TYPES = ("ROOT", "RUNTIME", "CONDITION_BRANCH", "CONDITION", "LOOP", "EXIT_HANDLER", "IMPORTER", "DAG")
STATES = ("PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CACHED", "CANCELED")
SOURCES = (
    "COMPONENT_DEFAULT_INPUT", "TASK_OUTPUT_INPUT", "COMPONENT_INPUT", "RUNTIME_VALUE_INPUT", "COLLECTED_INPUTS",
    "ITERATOR_INPUT", "ITERATOR_INPUT_RAW", "ITERATOR_OUTPUT", "OUTPUT", "ONE_OF_OUTPUT", "TASK_FINAL_STATUS_OUTPUT",
)  # fmt: skip
"""KFP 3.0's IOType."""
_RUN_STATES = {"RUNNING": "RUNNING", "SUCCEEDED": "SUCCEEDED", "CACHED": "SUCCEEDED", "SKIPPED": "SKIPPED",
               "FAILED": "FAILED", "CANCELED": "CANCELED"}  # fmt: skip
_ENDED = ("SUCCEEDED", "SKIPPED", "FAILED", "CACHED", "CANCELED")
_MOST = 1000
"""Tasks in one request."""


class Reporting:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        all_ = "/apis/v2beta1/runs/{run}/tasks"
        return (
            Route("POST", all_, self._create),
            Route("PATCH", f"{all_}/{{id}}", self._update),
            Route("POST", f"{all_}:batchUpdate", self._update_many),
        )

    async def _create(self, request: web.Request) -> web.Response:
        run, caller, now = request.match_info["run"], request[IDENTITY], self._context.clock.now()
        fields = await messages.read(request, "PipelineTask")
        id_ = new_id()

        def write(connection: Connection) -> dict[str, Any]:
            reported(connection, run, caller)
            values = {"id": id_, "run_id": run, "created_at": now, "states": [], **_named(fields)}
            values |= _placed(connection, run, id_, fields) | _values(fields)
            values["state"] = _word(fields, "state", STATES, "RUNNING")
            values["states"] = [{"state": values["state"], "at": now}]
            connection.execute(tasks.insert().values(**values))
            return self._told(connection, run, id_, now)

        return await self._answered(write)

    async def _update(self, request: web.Request) -> web.Response:
        run, id_, caller = request.match_info["run"], request.match_info["id"], request[IDENTITY]
        fields, now = await messages.read(request, "PipelineTask"), self._context.clock.now()

        def write(connection: Connection) -> dict[str, Any]:
            reported(connection, run, caller)
            _change(connection, run, id_, fields, now)
            return self._told(connection, run, id_, now)

        return await self._answered(write)

    async def _update_many(self, request: web.Request) -> web.Response:
        """All of them, or none."""
        run, caller, now = request.match_info["run"], request[IDENTITY], self._context.clock.now()
        given = (await messages.read(request, "UpdateTasksBulkRequest")).get("tasks")
        if not isinstance(given, Mapping) or not 0 < len(given) <= _MOST:
            raise errors.BadRequest(f"tasks must be an object with 1 to {_MOST} tasks by their ids")
        parts = {id_: messages.part(task, "PipelineTask", f"tasks.{id_}") for id_, task in sorted(given.items())}

        def write(connection: Connection) -> dict[str, Any]:
            reported(connection, run, caller)
            for id_, fields in parts.items():
                _change(connection, run, id_, fields, now)
            return {"tasks": {id_: self._told(connection, run, id_, now) for id_ in parts}}

        return await self._answered(write)

    def _told(self, connection: Connection, run: str, id_: str, now: float) -> dict[str, Any]:
        task = task_of(connection, run, id_)
        if task["type"] == "ROOT":
            _follow(connection, existing(connection, runs, run, "run"), task, now)
        return of_tasks(connection, [task])[0]

    async def _answered(self, write: Any) -> web.Response:
        told = await self._context.records.write(write)
        return answer(told)


def reported(connection: Connection, run: str, caller: Identity) -> RowMapping:
    """The run, where this caller may report what becomes of it. Raises NotFound, Forbidden and Failed."""
    found = existing(connection, runs, run, "run")
    if caller.bound_to not in ("", found["object_namespace"]):
        raise errors.Forbidden(f"{caller.user} may report on runs of the namespace {caller.bound_to} only")
    if not found["external"]:
        raise Failed(
            "this run is played here, and only the engine writes what becomes of it; to report on a run of your own, "
            'create it with "external": true'
        )
    if found["state"] in OVER:
        raise Failed(f"the run is over ({found['state']}), and nothing becomes of it any more")
    return found


def _change(connection: Connection, run: str, id_: str, fields: Mapping[str, Any], now: float) -> None:
    if fields.get("task_id", id_) != id_:
        raise errors.BadRequest(f"task_id is not the id that the task is changed by, {id_}")
    task = task_of(connection, run, id_)
    values = _values(fields)
    for side in ("inputs", "outputs", "sources"):
        if side in values:
            values[side] = {**task[side], **values[side]}
    if fields.get("parent_task_id", task["parent_task_id"]) != task["parent_task_id"]:
        values |= _placed(connection, run, id_, fields)
    state = _word(fields, "state", STATES, task["state"])
    if state != task["state"]:
        values |= {"state": state, "states": [*task["states"], {"state": state, "at": now}]}
        if state in _ENDED and "finished_at" not in values:
            values["finished_at"] = now
    if values:
        changed(connection, tasks, id_, **values)


def _follow(connection: Connection, run: RowMapping, root: RowMapping, now: float) -> None:
    """Let the run be what its root is. A run that is to be canceled stays so until the root has ended."""
    state = _RUN_STATES.get(root["state"])
    if run["state"] == ENDING:
        state = "CANCELED" if state in OVER else None
    if state is None or state == run["state"]:
        return
    error = {"error_code": root["error_code"], "error_message": root["error_message"]} if state == "FAILED" else {}
    values = {"state": state, **error}
    if state in OVER:
        values |= {"finished_at": root["finished_at"] or now, "outputs": root["outputs"]}
    changed(connection, runs, run["id"], **values)
    connection.execute(run_states.insert().values(run_id=run["id"], state=state, at=now, **error))


def _named(fields: Mapping[str, Any]) -> dict[str, Any]:
    name, display_name = messages.named(fields, limit=255)
    return {"name": name, "display_name": display_name, "type": _word(fields, "type", TYPES, "RUNTIME")}


def _placed(connection: Connection, run: str, id_: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Where the task is. In our records a path is one task's alone, in KFP's many iterations': hence the id in it."""
    parent = messages.text(fields, "parent_task_id", limit=64)
    if parent:
        task_of(connection, run, parent)
    root = fields.get("type") == "ROOT"
    if root and (parent or connection.execute(select(tasks.c.id).where(tasks.c.run_id == run).limit(1)).first()):
        raise errors.BadRequest("the ROOT is the first task of a run, and has no parent")
    return {"parent_task_id": parent, "scope_path": f"{messages.text(fields, 'scope_path', limit=4096)}#{id_}"}


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of what is reported, as far as it is."""
    values: dict[str, Any] = {}
    if "cache_fingerprint" in fields:
        values["fingerprint"] = messages.text(fields, "cache_fingerprint", limit=64)
    for name, column in (("create_time", "created_at"), ("start_time", "started_at"), ("end_time", "finished_at")):
        if (at := messages.instant(fields, name)) is not None:
            values[column] = at
    status = messages.part(fields.get("status_metadata"), "StatusMetadata", "status_metadata")
    if status.get("custom_properties"):
        raise Unsupported("status_metadata.custom_properties is not kept; put it into an output parameter")
    if "message" in status:
        text = messages.text(status, "message")
        values |= {"error_message": text, "error_code": 13 if text else 0}
    attributes = messages.part(fields.get("type_attributes"), "TypeAttributes", "type_attributes")
    for name in attributes.keys() & {"iteration_index", "iteration_count"}:
        values[name] = messages.whole(attributes[name], name)
    if fields.get("pods"):
        values["pod_name"] = _pod(fields["pods"])
    inputs, values_in = _parameters(fields, "inputs")
    _, values_out = _parameters(fields, "outputs")
    return (
        values
        | ({"inputs": values_in, "sources": inputs} if values_in else {})
        | ({"outputs": values_out} if values_out else {})
    )


def _parameters(fields: Mapping[str, Any], side: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(where each parameter came from, its value) of the inputs or the outputs."""
    given = messages.part(fields.get(side), "InputOutputs", side)
    if given.get("artifacts"):
        raise errors.BadRequest(f"{side}.artifacts is not written with a task; use POST /apis/v2beta1/artifact_tasks")
    sources: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for entry in messages.items(given, "parameters"):
        one = messages.part(entry, "IOParameter", f"{side}.parameters")
        key = messages.required_name(one, "parameter_key", limit=255)
        producer = messages.part(one.get("producer"), "IOProducer", f"{side}.parameters.producer")
        source: dict[str, Any] = {"type": _word(one, "type", SOURCES, "")}
        source["task"] = messages.text(producer, "task_name", limit=255)
        if "iteration" in producer:
            source["iteration"] = messages.whole(producer["iteration"], "iteration")
        sources[key], values[key] = source, one.get("value")
    return sources, values


def _pod(given: Any) -> str:
    """The one that does the work; 3.0 tells of drivers too, which do none here."""
    pods = [messages.part(pod, "TaskPod", "pods") for pod in given] if isinstance(given, list) else []
    executors = [pod for pod in pods if pod.get("type") != "DRIVER"]
    return messages.text(executors[-1], "name", limit=255) if executors else ""


def _word(fields: Mapping[str, Any], name: str, known: tuple[str, ...], otherwise: str) -> str:
    word = messages.text(fields, name) or otherwise
    if word not in (*known, otherwise):
        raise errors.BadRequest(f"{name} is {word!r}, and must be one of {', '.join(known)}")
    return word
