"""Triggers: pipelines that run because something happened: a run ended, an artifact came, somebody called.

Parameters may speak of what happened: "[[trigger.run_id]]", "[[trigger.artifact_uri]]", "[[trigger.artifact_id]]",
"[[trigger.time]]".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairway.pipelines.sdk import finding, recurring, templating, values
from fairway.pipelines.sdk.connecting import connect
from fairway.pipelines.sdk.wire import Api


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger. `token` is a webhook's, and is there only where it was made or renewed just now: keep it."""

    api: Api = field(repr=False)
    id: str
    token: str = field(default="", repr=False)

    def record(self) -> dict[str, Any]:
        return self.api.get(self._path)

    @property
    def url(self) -> str:
        """Where a webhook's callers send a POST, with the token as bearer token."""
        return f"{self.api.url}/apis/v2beta1/{self._path}:fire"

    def events(self) -> list[dict[str, Any]]:
        """What it fired for: run_id, state (WAITING, STARTED, FAILED), created_at, ..."""
        return list(self.api.pages(f"{self._path}/events", "events"))

    def fire(self, parameters: Mapping[str, Any] | None = None, *, key: str = "") -> dict[str, Any]:
        """Call the webhook, with the token that was given when it was made. A repeated `key` counts once."""
        body = {**({"parameters": values.sent(parameters)} if parameters else {}), **({"key": key} if key else {})}
        return Api(self.api.url, self.token).post(f"{self._path}:fire", body)

    def rotate(self) -> Trigger:
        """A new token for a webhook; the old one is no longer good."""
        return _made(self.api, self.api.post(f"{self._path}:rotate"))

    def edit(self, **fields: Any) -> None:
        """Change fields of the message, such as display_name or max_concurrency."""
        self.api.patch(self._path, fields)

    def enable(self) -> None:
        self.api.post(f"{self._path}:enable")

    def disable(self) -> None:
        self.api.post(f"{self._path}:disable")

    def delete(self) -> None:
        """Runs that it started stay."""
        self.api.delete(self._path)

    @property
    def _path(self) -> str:
        return f"triggers/{self.id}"


def trigger_on_run(
    pipeline: Any,
    parameters: Mapping[str, Any] | None = None,
    *,
    of: str = "",
    of_experiment: str = "",
    of_schedule: str = "",
    states: Sequence[str] = ("SUCCEEDED",),
    name: str = "",
    experiment: str = "",
    max_concurrency: int = 1,
    server: Api | None = None,
) -> Trigger:
    """Run a pipeline whenever a run has ended in one of `states`: a run of the pipeline `of` (by its name), of an
    experiment, of a schedule; all that are given must hold."""
    api = server or connect()
    source: dict[str, Any] = {"states": list(states)}
    if of:
        source["pipeline_name"] = of
    if of_experiment:
        source["experiment_id"] = templating.experiment_id(api, of_experiment, make=False)
    if of_schedule:
        source["recurring_run_id"] = recurring.find_schedule(of_schedule, server=api).id
    return _create(api, pipeline, parameters, {"run": source}, name, experiment, max_concurrency)


def trigger_on_artifact(
    pipeline: Any,
    parameters: Mapping[str, Any] | None = None,
    *,
    artifact: str = "",
    of_type: str = "",
    of: str = "",
    uri: str = "",
    every: int = 0,
    name: str = "",
    experiment: str = "",
    max_concurrency: int = 1,
    server: Api | None = None,
) -> Trigger:
    """Run a pipeline whenever a run makes an artifact of that name, type, or pipeline `of`; or whenever the file or
    folder at `uri` changes, which is looked at `every` so many seconds."""
    given = {"name": artifact, "type": of_type, "pipeline_name": of, "uri": uri, "every_seconds": every}
    source = {key: value for key, value in given.items() if value}
    api = server or connect()
    return _create(api, pipeline, parameters, {"artifact": source}, name, experiment, max_concurrency)


def webhook(
    pipeline: Any,
    parameters: Mapping[str, Any] | None = None,
    *,
    takes: Sequence[str] | None = None,
    name: str = "",
    experiment: str = "",
    max_concurrency: int = 1,
    server: Api | None = None,
) -> Trigger:
    """Run a pipeline whenever somebody calls the trigger's `url` with its `token`. A call may give the parameters
    that `takes` names; all of the pipeline's where it is None."""
    source = {} if takes is None else {"parameters": list(takes)}
    api = server or connect()
    return _create(api, pipeline, parameters, {"webhook": source}, name, experiment, max_concurrency)


def triggers(*, server: Api | None = None) -> list[Trigger]:
    """All of them, newest first."""
    api = server or connect()
    return [_made(api, each) for each in finding.newest(api, finding.TRIGGER)]


def find_trigger(asked: str, *, server: Api | None = None) -> Trigger:
    """A trigger by its id, or by a name that only one has. Raises NotThere."""
    api = server or connect()
    return _made(api, finding.one(api, finding.TRIGGER, asked))


def _create(
    api: Api,
    pipeline: Any,
    parameters: Mapping[str, Any] | None,
    source: Mapping[str, Any],
    name: str,
    experiment: str,
    max_concurrency: int,
) -> Trigger:
    body = {
        "display_name": name or getattr(pipeline, "name", "") or str(pipeline),
        "max_concurrency": str(max_concurrency),
        **source,
        **templating.fields(api, pipeline, parameters, experiment),
    }
    return _made(api, api.post("triggers", body))


def _made(api: Api, answer: Mapping[str, Any]) -> Trigger:
    return Trigger(api, answer["trigger_id"], answer.get("token", ""))
