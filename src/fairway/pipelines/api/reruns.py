"""New runs from old ones: a clone with other parameters, and a rerun that takes over what need not run again.

What runs again is decided in `render.reruns`; what is taken over is written by `inheriting`, with the run itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, RowMapping

from fairway.kernel.feature import IDENTITY, Identity, Route
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME_CLAIM
from fairway.pipelines import inheriting, ir, outcomes
from fairway.pipelines.api import creating, messages, templates
from fairway.pipelines.api.answers import Failed, answer
from fairway.pipelines.api.context import Context, existing, new_id, row
from fairway.pipelines.api.runs import one
from fairway.pipelines.ir.model import MISSING, VolumeClaim
from fairway.pipelines.ir.values import plain
from fairway.pipelines.render import inputs, places
from fairway.pipelines.render.places import Place, UnknownPlace
from fairway.pipelines.render.reruns import Again
from fairway.pipelines.tables import experiments, runs

Overrides = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class _Old:
    """The run that another is made from, with what the request says of the new one."""

    row: RowMapping
    pipeline: ir.Pipeline
    template: dict[str, Any]
    """A row with the columns of `tables.templates`, for the new run."""
    parameters: dict[str, Any]

    @property
    def changed(self) -> list[str]:
        """The parameters that have other values now."""
        before, after = dict(self.row["parameters"]), self.parameters
        return [name for name in {**before, **after} if before.get(name, MISSING) != after.get(name, MISSING)]


class Reruns:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        one_run = "/apis/v2beta1/runs/{id}"
        return (Route("POST", f"{one_run}:clone", self._clone), Route("POST", f"{one_run}:rerun", self._rerun))

    async def _clone(self, request: web.Request) -> web.Response:
        fields = await messages.read(request, "Clone") if request.can_read_body else {}
        old = await self._old(request.match_info["id"], fields, request[IDENTITY])
        return await self._start(old, fields, "Clone", dict(old.row["overrides"]), ())

    async def _rerun(self, request: web.Request) -> web.Response:
        fields = await messages.read(request, "Rerun")
        run_id = request.match_info["id"]
        old = await self._old(run_id, fields, request[IDENTITY])
        if old.pipeline.config.workspace is not None:
            raise Failed(
                "the pipeline has a workspace, which holds files of one run only: clone the run, which runs all of it"
            )
        rows, counts = await self._context.records.read(
            lambda connection: (inheriting.succeeded(connection, run_id), inheriting.iterations(connection, run_id))
        )
        chosen = [_place(old.pipeline, path, counts) for path in _named(fields)]
        changes = _changes(old.pipeline, fields, counts)
        again = Again(old.pipeline, chosen, old.changed)
        if not again:
            raise errors.BadRequest("name the steps that are to run again: from: [STEP, ...]")
        for path in changes:
            if path not in again:
                raise errors.BadRequest(
                    f"the inputs of {path!r} cannot be changed, because it does not run again: name it in from as well"
                )
        kept = await self._kept(old, rows, chosen)
        overrides = {path: values for path, values in old.row["overrides"].items() if values}
        for path in map(str, chosen):
            overrides.setdefault(path, {})
        for path, values in changes.items():
            overrides[path] = {**overrides.get(path, {}), **values}
        return await self._start(old, fields, "Rerun", overrides, kept)

    async def _old(self, run_id: str, fields: Mapping[str, Any], caller: Identity) -> _Old:
        config = messages.part(fields.get("runtime_config"), "RuntimeConfig", "runtime_config")
        given = config.get("parameters", {})
        if not isinstance(given, Mapping):
            raise errors.BadRequest("runtime_config.parameters must be an object")
        root = templates.root(self._context, config)
        now = self._context.clock.now()

        def read(connection: Connection) -> tuple[RowMapping, Any, dict[str, Any]]:
            found = existing(connection, runs, run_id, "run")
            documents, _, _ = templates.documents(connection, dict(found))
            return found, documents, {name: found[name] for name in templates.COLUMNS}

        def place(connection: Connection) -> RowMapping:
            known = row(connection, experiments, found["experiment_id"]) is not None
            return templates.experiment(connection, found["experiment_id"] if known else "", caller, now)

        found, documents, template = await self._context.records.read(read)
        experiment = await self._context.records.write(place)
        template |= {
            "experiment_id": experiment["id"],
            "namespace": experiment["namespace"],
            "object_namespace": experiment["namespace"],
            "pipeline_root": root or found["pipeline_root"],
        }
        pipeline = await asyncio.to_thread(documents.load)
        parameters = {**found["parameters"], **plain(dict(given))}
        await self._context.records.read(
            lambda connection: templates.check_given(connection, pipeline, parameters, experiment["namespace"])
        )
        return _Old(found, pipeline, template, parameters)

    async def _kept(self, old: _Old, rows: Sequence[RowMapping], chosen: list[Place]) -> list[RowMapping]:
        """What is taken over: steps that do not run again, and whose results are still there."""
        chosen = list(chosen)
        while True:
            again = Again(old.pipeline, chosen, old.changed)
            kept = [found for found in rows if found["scope_path"] not in again]
            gone = await asyncio.to_thread(inheriting.gone, kept)
            gone += await self._gone_claims(old, kept)
            gone += await self._gone_from_buckets(old, kept)
            if not gone:
                return kept
            chosen += [places.find(old.pipeline, path) for path in gone]

    async def _gone_claims(self, old: _Old, rows: Sequence[RowMapping]) -> list[str]:
        """Volume claims that a step made and that are not there any more."""
        if not any(isinstance(component.body, VolumeClaim) for component in old.pipeline.components.values()):
            return []
        gone = []
        for found in rows:
            body, name = places.find(old.pipeline, found["scope_path"]).component.body, found["outputs"].get("name")
            if isinstance(body, VolumeClaim) and not body.deletes:
                namespace = old.template["object_namespace"]
                if not await self._context.client.find(PERSISTENT_VOLUME_CLAIM, str(name), namespace):
                    gone.append(found["scope_path"])
        return gone

    async def _gone_from_buckets(self, old: _Old, rows: Sequence[RowMapping]) -> list[str]:
        """Steps whose artifacts were taken to a bucket, and are not there any more."""
        context, namespace = self._context, old.template["object_namespace"]
        gone = []
        for found in rows:
            folder = found["folder"] or found["ran_in"] or ""
            uris = await asyncio.to_thread(outcomes.taken, folder) if folder else None
            if not await context.stores.keeps(context.client, namespace, uris or ()):
                gone.append(found["scope_path"])
        return gone

    async def _start(
        self, old: _Old, fields: Mapping[str, Any], what: str, overrides: Overrides, kept: Sequence[RowMapping]
    ) -> web.Response:
        name = messages.text(fields, "display_name", limit=messages.RUN_NAME_LIMIT)
        now = self._context.clock.now()
        wanted = creating.Start(
            id=new_id(),
            display_name=name or f"{what} of {old.row['display_name']}",
            scheduled_at=now,
            from_={"source_run_id": old.row["id"]},
            parameters=old.parameters,
            description=old.row["description"],
            overrides=overrides,
            also=lambda connection: inheriting.take_over(connection, wanted.id, kept, now),
        )
        await creating.start(self._context, old.template, wanted)
        return answer(await self._context.records.read(lambda connection: one(connection, wanted.id)))


def _named(fields: Mapping[str, Any]) -> list[str]:
    named = fields.get("from", [])
    if not isinstance(named, list) or not all(isinstance(path, str) for path in named):
        raise errors.BadRequest("from must be a list of the paths of steps")
    return named


def _place(pipeline: ir.Pipeline, path: str, counts: Mapping[str, int]) -> Place:
    """Where a path leads to in this run. Raises BadRequest with what there is."""
    try:
        found = places.find(pipeline, path)
    except UnknownPlace as unknown:
        raise errors.BadRequest(str(unknown)) from None
    for depth, part in enumerate(found.parts):
        loop = "/".join(map(str, (*found.parts[:depth], part.name)))
        if part.number is not None and part.number >= counts.get(loop, part.number + 1):
            raise errors.BadRequest(f"there is no step {path!r}: {loop} has {counts[loop]} iterations, from 0 on")
    return found


def _changes(pipeline: ir.Pipeline, fields: Mapping[str, Any], counts: Mapping[str, int]) -> Overrides:
    """The changed inputs, checked against what the steps declare. Raises BadRequest."""
    given = fields.get("inputs", {})
    if not isinstance(given, Mapping) or not all(isinstance(values, Mapping) for values in given.values()):
        raise errors.BadRequest("inputs must be an object such as {STEP: {PARAMETER: value}}")
    return {path: _checked(_place(pipeline, path, counts), plain(dict(values))) for path, values in given.items()}


def _checked(place: Place, values: dict[str, Any]) -> dict[str, Any]:
    declared = place.component.input_parameters
    loop = place.task.loop
    item = loop.item if loop is not None and place.parts[-1].number is None else ""
    for name, value in values.items():
        if name not in declared:
            has = f"it has {', '.join(sorted(declared))}" if declared else "it has none"
            raise errors.BadRequest(f"the step {str(place)!r} has no input {name!r}; {has}")
        if name == item:
            raise errors.BadRequest(f"{name!r} is the item of the loop {str(place)!r}: name an iteration of it")
        if value is None and declared[name].default is MISSING and not declared[name].optional:
            raise errors.BadRequest(f"the step {str(place)!r} needs a value for its input {name!r}")
        try:
            if value is not None:
                inputs.as_declared(name, declared[name], value)
        except inputs.InputError as wrong:
            raise errors.BadRequest(f"the step {str(place)!r}: {wrong}") from None
    return values
