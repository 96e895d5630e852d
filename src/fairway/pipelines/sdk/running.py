"""Runs: start, find, look into, act on. What a run is made of is in `steps` and `artifacts`.

`step` in all of this is a step's path, such as "train" or "for-loop-1[3]/train", or its name where only one has it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from fairway.pipelines.sdk import approving, artifacts, finding, following, steps, submitting, templating, values
from fairway.pipelines.sdk.approving import Approval
from fairway.pipelines.sdk.artifacts import Artifact
from fairway.pipelines.sdk.connecting import connect
from fairway.pipelines.sdk.failures import Failure, NotThere
from fairway.pipelines.sdk.steps import Snapshot, Step
from fairway.pipelines.sdk.wire import Api

LAST = "last"
"""The name under which the newest run is found."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. Nothing is remembered: each question is asked of the server."""

    api: Api = field(repr=False)
    id: str

    # what it is

    def snapshot(self) -> Snapshot:
        """The run and all its steps at this moment."""
        return following.snapshot(self.api, self.id)

    def record(self) -> dict[str, Any]:
        """The run as the API has it: KFP's Run message."""
        return self.api.get(f"runs/{self.id}")

    @property
    def state(self) -> str:
        """PENDING, RUNNING, PAUSED, SUCCEEDED, FAILED, CANCELING or CANCELED."""
        return str(self.record()["state"])

    @property
    def url(self) -> str:
        """The run's page in the dashboard."""
        return f"{self.api.url}/#/runs/details/{self.id}"

    def follow(self, *, every: float = 0.25, patience: float = 30.0) -> Iterator[Snapshot]:
        """The run now and after each change, until it is over; times in seconds. See `following`."""
        return following.follow(self.api, self.id, every=every, patience=patience)

    def wait(self, timeout: float | None = None) -> Snapshot:
        """The end of the run, once it has come; `timeout` is in seconds.

        Raises Failure where it did not succeed, with the run's own words, and where it goes on past the timeout.
        """
        end = deque(following.follow(self.api, self.id, timeout=timeout), maxlen=1).pop()
        if end.state != "SUCCEEDED":
            raise Failure(f"run {end.name} ({end.run_id}) is {end.state}{': ' + end.message if end.message else ''}")
        return end

    def step(self, step: str) -> Step:
        return steps.find(self.snapshot().steps, step)

    def log(self, step: str | Step) -> str:
        """What the step has written so far."""
        return self.api.read(f"runs/{self.id}/nodes/{self._id(step)}/log").decode(errors="replace")

    def lines(self, step: str | Step) -> Iterator[str]:
        """The step's log line by line, as it is written, until the step ends."""
        rest = ""
        for chunk in following.log(self.api, self.id, self._id(step)):
            *whole, rest = (rest + chunk.decode(errors="replace")).split("\n")
            yield from whole
        if rest:
            yield rest

    def inputs(self, step: str = "") -> dict[str, Any]:
        """The parameters that the step was given; without a step those of the run."""
        return _parameters(self._task(step), "inputs")

    def outputs(self, step: str = "") -> dict[str, Any]:
        """The parameters that the step gave; without a step those of the run."""
        return _parameters(self._task(step), "outputs")

    def artifacts(self, step: str = "") -> list[Artifact]:
        """The artifacts that the step made, or all that the run made. Scalar metrics have `metrics`."""
        found = artifacts.of_task(self.api, self._task(step)) if step else artifacts.listed(self.api, self.id)
        return [one for one in found if one.number is None]

    def artifact(self, name: str) -> Artifact:
        """The only artifact of that name, or of an output of a step, as in "train/model". Raises NotThere."""
        return artifacts.find(self.artifacts(), name)

    def metrics(self) -> dict[str, dict[str, float]]:
        """All scalar metrics, by the path of the step that logged them."""
        found: dict[str, dict[str, float]] = {}
        for one in artifacts.listed(self.api, self.id):
            if one.number is not None:
                found.setdefault(one.step, {})[one.name] = one.number
        return found

    # what can be done

    def retry(self) -> None:
        """Run again what failed or was canceled; what succeeded stays."""
        self.api.post(f"runs/{self.id}:retry")

    def terminate(self) -> None:
        """End the run: its steps are stopped."""
        self.api.post(f"runs/{self.id}:terminate")

    def pause(self) -> None:
        """Start no further step until `resume`; what runs goes on."""
        self.api.post(f"runs/{self.id}:pause")

    def resume(self) -> None:
        self.api.post(f"runs/{self.id}:resume")

    def approvals(self, *, state: str = approving.WAITING) -> list[Approval]:
        """The questions that the run asks: those that wait, or all with state=""."""
        return approving.listed(self.api, f"runs/{self.id}/approvals", state)

    def approve(self, step: str = "", comment: str = "") -> None:
        """Let a step start that asks; without a name the only one that does. Raises Failure."""
        approving.find(self.approvals(), step).approve(comment)

    def reject(self, step: str = "", comment: str = "") -> None:
        """Fail a step that asks."""
        approving.find(self.approvals(), step).reject(comment)

    def clone(self, parameters: Mapping[str, Any] | None = None, *, name: str = "") -> Run:
        """A new run of the same pipeline; the given parameters replace those of this one."""
        body = _drop_empty({"display_name": name, "runtime_config": {"parameters": values.sent(parameters)}})
        return Run(self.api, self.api.post(f"runs/{self.id}:clone", body)["run_id"])

    def rerun(
        self,
        *from_steps: str,
        parameters: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Mapping[str, Any]] | None = None,
        name: str = "",
    ) -> Run:
        """A new run that takes over what succeeded before the named steps, and runs those steps and what follows.

        A step in a loop that is named without an iteration's number means it in all of them. Steps that take a changed
        parameter run again too. `inputs` changes what single steps are given: {"train": {"epochs": 20}}.
        """
        known = self.snapshot().steps
        body = {
            "from": [steps.place(known, step) for step in from_steps],
            "inputs": {steps.place(known, step): values.sent(given) for step, given in (inputs or {}).items()},
            "display_name": name,
            "runtime_config": {"parameters": values.sent(parameters)},
        }
        return Run(self.api, self.api.post(f"runs/{self.id}:rerun", _drop_empty(body))["run_id"])

    def delete(self, *, artifacts: bool = False) -> None:
        """Remove the run and its records; with `artifacts` also what its steps made and nothing else uses."""
        self.api.delete(f"runs/{self.id}", artifacts="true" if artifacts else "")

    def go_on(self, step: str | Step) -> None:
        """Let a step go on that stands still for a look (`set_debug_pause`)."""
        self.api.post(f"runs/{self.id}/tasks/{self._id(step)}:continue", {})

    def _id(self, step: str | Step) -> str:
        return self.step(step).id if isinstance(step, str) else step.id

    def _task(self, step: str) -> dict[str, Any]:
        if step:
            return self.api.get(f"runs/{self.id}/tasks/{self.step(step).id}")
        for task in self.api.pages(f"runs/{self.id}/tasks", "tasks"):
            if task.get("type") == "ROOT":
                return task
        return {}


def submit(
    pipeline: Any,
    arguments: Mapping[str, Any] | None = None,
    *,
    name: str = "",
    experiment: str = "",
    caching: bool | None = None,
    server: Api | None = None,
) -> Run:
    """Start a run of a pipeline function, of a compiled file, or of an uploaded pipeline by its name.

    An argument may be an Artifact of an earlier run, or a path, where the pipeline takes an artifact. `caching=False`
    runs every step, done before or not. Functions and files need the extra `fairway[pipelines]`.
    Raises Failure.
    """
    api = server or connect()
    if templating.by_name(pipeline):
        if caching is not None:
            raise Failure("an uploaded pipeline has its own terms with the cache; leave caching out")
        body = {"display_name": name or f"{pipeline} {datetime.now():%Y-%m-%d %H-%M-%S}"}
        return Run(api, api.post("runs", {**body, **templating.fields(api, pipeline, arguments, experiment)})["run_id"])
    run_id = submitting.submit(api, pipeline, arguments, run_name=name, experiment=experiment, caching=caching)
    return Run(api, run_id)


def run(asked: str, *, server: Api | None = None) -> Run:
    """A run by its id, by the beginning of it, by a name that only one has, or "last". Raises NotThere."""
    if not isinstance(asked, str):
        raise Failure("run() finds a run by its id; submit() starts one")
    api = server or connect()
    if asked == LAST:
        newest = _newest(api, 1)
        if not newest:
            raise NotThere("there is no run yet; start one with `fairway run FILE`")
        return Run(api, newest[0]["run_id"])
    try:
        return Run(api, api.get(f"runs/{asked}")["run_id"])
    except NotThere:
        return Run(api, _search(api, asked))


def runs(
    *,
    state: str = "",
    experiment: str = "",
    name: str = "",
    limit: int = 20,
    server: Api | None = None,
) -> list[Run]:
    """The newest runs, newest first: of one state, of an experiment (by its name), with a text in their name."""
    api = server or connect()
    return [Run(api, found["run_id"]) for found in listed(api, state, experiment, name, limit)]


def listed(api: Api, state: str, experiment: str, name: str, limit: int) -> list[dict[str, Any]]:
    """The same as the API tells of them."""
    conditions = []
    if state:
        conditions.append(("EQUALS", "state", state.upper()))
    if name:
        conditions.append(("IS_SUBSTRING", "display_name", name))
    if experiment:
        conditions.append(("EQUALS", "experiment_id", templating.experiment_id(api, experiment, make=False)))
    return _newest(api, limit, *conditions)


def _newest(api: Api, limit: int, *conditions: tuple[str, str, str]) -> list[dict[str, Any]]:
    pages = api.pages(
        "runs", "runs", sort_by="created_at desc", filter=finding.where(*conditions), page_size=min(limit, 200)
    )
    return list(islice(pages, limit))


def _search(api: Api, asked: str) -> str:
    begin = [each["run_id"] for each in _newest(api, 200, ("IS_SUBSTRING", "run_id", asked))]
    found = [run_id for run_id in begin if run_id.startswith(asked)]
    if not found:
        found = [each["run_id"] for each in _newest(api, 3, ("EQUALS", "display_name", asked))]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise NotThere(f"several runs are called {asked!r}; use an id: {', '.join(found[:5])}")
    raise NotThere(f'there is no run "{asked}"; `fairway runs list` shows which there are')


def _parameters(task: Mapping[str, Any], side: str) -> dict[str, Any]:
    given = (task.get(side) or {}).get("parameters", ())
    return {entry["parameter_key"]: entry.get("value") for entry in given}


def _drop_empty(body: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says nothing."""
    return {key: value for key, value in body.items() if value not in ("", {}, [], {"parameters": {}})}
