"""One case from its upload to the comparison of its end with what it must be, by the unmodified `kfp.Client`.

Only what that client cannot read (the outputs of a run, the logs of steps) is read from the API beside it.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import kfp_server_api

from fairway.pipelines import sdk

from .cases import Case, Verdict
from .expectations import FOLDER, REFUSED, SUCCEEDED, WAITS

_EXPERIMENT = "judge"
_LOOKS_EVERY = 0.3
_GOOD = {"SUCCEEDED", "CACHED", "SKIPPED"}


class Wrong(Exception):
    """It is not as it must be: the state that was got, and what is wrong with it."""

    def __init__(self, got: str, reason: str) -> None:
        super().__init__(got, reason)
        self.got, self.reason = got, reason


class Judge:
    def __init__(self, server: sdk.Server) -> None:
        self._server = server
        self._own = threading.local()
        self._experiment: str = server.kfp().create_experiment(_EXPERIMENT).experiment_id

    def all(self, cases: Iterable[Case], at_once: int, tell: Callable[[Verdict], None]) -> list[Verdict]:
        """In the order of `cases`; `tell` hears of each one as it ends."""
        ordered = list(cases)
        done: dict[int, Verdict] = {}
        with ThreadPoolExecutor(at_once) as pool:
            # Those that install packages first: they wait for a network while the others use the processor.
            first = sorted(range(len(ordered)), key=lambda number: not ordered[number].expected.online)
            futures = {pool.submit(self.judge, ordered[number]): number for number in first}
            for future in as_completed(futures):
                verdict = done[futures[future]] = future.result()
                tell(verdict)
        return [done[number] for number in range(len(ordered))]

    def judge(self, case: Case) -> Verdict:
        begun = time.monotonic()
        if case.problem:
            return Verdict(case, "does not compile", 0.0, case.problem)
        try:
            got, reason = self._run(case), ""
        except Wrong as wrong:
            got, reason = wrong.got, wrong.reason
        except kfp_server_api.ApiException as answer:
            got, reason = REFUSED, _sentence(answer)
            if case.expected.ends == REFUSED and case.expected.message in reason:
                reason = ""
        return Verdict(case, got, time.monotonic() - begun, reason)

    def _run(self, case: Case) -> str:
        """The state in which the run ended. Raises Wrong."""
        with tempfile.TemporaryDirectory(prefix="judge-") as folder:
            _write(Path(folder), case.expected.given)
            pipeline, version = self._upload(case)
            for earlier in case.expected.after:
                self._finish(case, self._start(case, pipeline, version, {**case.arguments(), **earlier}, folder))
            run = self._start(case, pipeline, version, case.arguments(), folder)
            return self._judge(case, run, folder)

    def _judge(self, case: Case, run: str, folder: str) -> str:
        expected = case.expected
        if expected.ends == WAITS:
            return self._wait(case, run)
        if expected.stop_when:
            self._stop(case, run)
        state, message = self._finish(case, run), self._message(run)
        if state != expected.ends and not (expected.beyond and state == SUCCEEDED):
            raise Wrong(state, message or "it says nothing about it")
        if state == expected.ends and expected.message not in message:
            raise Wrong(state, f"it says {message!r}, and not {expected.message!r}")
        if state == expected.ends and expected.beyond:
            return state  # nothing more can be asked of a run that lacks what it needs
        if wrong := "; ".join([*self._differences(case, run, state), *_missing(Path(folder), expected.leaves)]):
            raise Wrong(state, wrong)
        return state

    # By the client

    def _upload(self, case: Case) -> tuple[str, str]:
        name = f"{case.name.replace('/', ' ')} {time.time_ns()}"[-120:]
        pipeline = self._client.upload_pipeline(str(case.package), pipeline_name=name)
        version = self._client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions[0]
        return pipeline.pipeline_id, version.pipeline_version_id

    def _start(self, case: Case, pipeline: str, version: str, arguments: Mapping[str, Any], folder: str) -> str:
        params = {key: _in_folder(value, folder) for key, value in arguments.items()}
        run = self._client.run_pipeline(
            self._experiment, case.name, pipeline_id=pipeline, version_id=version, params=params
        )
        return str(run.run_id)

    def _finish(self, case: Case, run: str) -> str:
        """The state of the run once it is over."""
        for _ in _until(case.expected.seconds):
            state = str(self._client.get_run(run).state)
            if state in sdk.OVER:
                return state
        open_steps = [
            f"{step.name} is {step.state}: {step.message or self._last_line(run, step)}"
            for step in self._open_steps(run)
        ]
        self._client.terminate_run(run)
        raise Wrong("no end", f"after {case.expected.seconds:.0f} s {'; '.join(open_steps)}")

    def _wait(self, case: Case, run: str) -> str:
        """Until a step says what it waits for."""
        for _ in _until(case.expected.seconds):
            if any(case.expected.message in step.message for step in self._open_steps(run)):
                self._client.terminate_run(run)
                return WAITS
            if (state := str(self._client.get_run(run).state)) in sdk.OVER:
                raise Wrong(state, self._message(run))
        raise Wrong("no end", f"no step says {case.expected.message!r}")

    def _stop(self, case: Case, run: str) -> None:
        for _ in _until(case.expected.seconds):
            steps = self._server.snapshot(run).steps
            if any(step.name == case.expected.stop_when and step.state == "RUNNING" for step in steps):
                self._client.terminate_run(run)
                return
        raise Wrong("no end", f"step {case.expected.stop_when} does not run")

    def _message(self, run: str) -> str:
        error = self._client.get_run(run).error
        return " ".join((error.message or "").split()) if error else ""

    @property
    def _client(self) -> Any:
        """One for each thread."""
        if not hasattr(self._own, "client"):
            self._own.client = self._server.kfp()
        return self._own.client

    # Beside the client

    def _open_steps(self, run: str) -> list[sdk.Step]:
        return [step for step in self._server.snapshot(run).steps if step.state in ("PENDING", "RUNNING")]

    def _last_line(self, run: str, step: sdk.Step) -> str:
        if step.kind != "RUNTIME":
            return ""
        return self._server.log(run, step.id).strip().rpartition("\n")[2][:300]

    def _differences(self, case: Case, run: str, state: str) -> Iterator[str]:
        expected, tasks = case.expected, list(self._server.pages(f"runs/{run}/tasks", "tasks"))
        root = next(task for task in tasks if task["type"] == "ROOT")
        given = {each["parameter_key"]: each.get("value") for each in root.get("outputs", {}).get("parameters", ())}
        for key, value in expected.outputs.items():
            if key not in given or value != given[key]:
                yield f"output {key} is {json.dumps(given.get(key))[:200]}, and not {value}"
        states = defaultdict(set)
        for task in tasks:
            states[task["name"]].add(task["state"])
        for name, wanted in expected.steps.items():
            if states.get(name) != {wanted}:
                yield f"{name} is {', '.join(sorted(states.get(name, {'missing'})))}, and not {wanted}"
        for name, part in expected.says.items():
            logs = [self._server.log(run, task["task_id"]) for task in tasks if task["name"] == name]
            if not any(part in log for log in logs):
                yield f"the log of {name} does not say {part!r}"
        if state == SUCCEEDED:
            yield from self._untold(case, run, states)

    def _untold(self, case: Case, run: str, states: Mapping[str, set[str]]) -> Iterator[str]:
        """Of a run that succeeded every task has ended well, and the client is told of each."""
        told = {task.display_name for task in self._client.get_run(run).run_details.task_details}
        for name in sorted(case.tasks()):
            if bad := states.get(name, {"missing"}) - _GOOD:
                yield f"{name} is {', '.join(sorted(bad))}"
        if len(told) < len({name for name in case.tasks() if name in states}):
            yield f"the client is told of {', '.join(sorted(told))} only"


def _until(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(_LOOKS_EVERY)


def _in_folder(value: Any, folder: str) -> Any:
    if isinstance(value, dict):
        return {key: _in_folder(each, folder) for key, each in value.items()}
    return value.replace(FOLDER, folder) if isinstance(value, str) else value


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _missing(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            yield f"the file {name} is not there, or does not hold {text!r}"


def _sentence(answer: kfp_server_api.ApiException) -> str:
    try:
        content = json.loads(answer.body)
    except (ValueError, TypeError):
        return f"{answer.status} {answer.reason}"
    return str(content.get("message") or content.get("error") or content)
