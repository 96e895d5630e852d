"""What is asked of a run that is there: to end, to begin again, to pause, to go on.

The record says it at once and for good; `starting` tells the Run object, and the engine acts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, RowMapping

from fairway.kernel.feature import IDENTITY, Identity, Route
from fairway.kernel.objects import errors
from fairway.pipelines.api.answers import Failed, answer
from fairway.pipelines.api.context import Context, changed, existing
from fairway.pipelines.tables import run_states, runs
from fairway.pipelines.tasks import ENDING, OVER

Change = Callable[[RowMapping], dict[str, Any]]
"""From a run's row to the columns that change; a state among them is put into the run's history."""


class Control:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        verbs = {"terminate": _terminated, "retry": _retried, "pause": _paused, "resume": _resumed}
        return tuple(
            Route("POST", f"/apis/v2beta1/runs/{{id}}:{verb}", self._changing(change)) for verb, change in verbs.items()
        )

    def _changing(self, change: Change) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            id_, caller, now = request.match_info["id"], request[IDENTITY], self._context.clock.now()

            def write(connection: Connection) -> None:
                found = existing(connection, runs, id_, "run", held=True)
                if change is not _terminated:
                    _check(found, caller)
                values = change(found)
                if values:
                    changed(connection, runs, id_, **values)
                if "state" in values:
                    connection.execute(run_states.insert().values(run_id=id_, state=values["state"], at=now))

            await self._context.records.write(write)
            self._context.wake.set()
            return answer({})

        return handle


def _check(run: RowMapping, caller: Identity) -> None:
    """Whoever may look at a run may end it; what makes its steps run is for those who may run steps there."""
    if run["external"]:
        raise Failed("somebody else plays this run; here it can only be terminated")
    if caller.bound_to not in ("", run["object_namespace"]):
        raise errors.Forbidden(
            f"{caller.user} may run pipelines in the namespace {caller.bound_to} only, and this run is in "
            f"{run['object_namespace']}"
        )


def _terminated(run: RowMapping) -> dict[str, Any]:
    """A run that is over is left so: runs end sooner here than clients expect who terminate what they made."""
    return {} if run["state"] in {*OVER, ENDING} else {"state": ENDING}


def _retried(run: RowMapping) -> dict[str, Any]:
    """What succeeded stays; the engine starts the rest again when it sees the object's new `retries`."""
    if run["state"] not in ("FAILED", "CANCELED"):
        raise Failed(f"only a failed or canceled run can be retried, and this one is {run['state']}")
    fresh = {"finished_at": 0.0, "expires_at": 0.0, "error_code": 0, "error_message": "", "paused": False}
    return {"state": "RUNNING", "retries": run["retries"] + 1, **fresh}


def _paused(run: RowMapping) -> dict[str, Any]:
    if run["state"] in {*OVER, ENDING}:
        raise Failed(f"the run cannot be paused, because it is {run['state']}")
    return {} if run["paused"] else {"state": "PAUSED", "paused": True, "asked": run["asked"] + 1}


def _resumed(run: RowMapping) -> dict[str, Any]:
    if run["state"] in {*OVER, ENDING}:
        raise Failed(f"the run cannot go on, because it is {run['state']}")
    return {"state": "RUNNING", "paused": False, "asked": run["asked"] + 1} if run["paused"] else {}
