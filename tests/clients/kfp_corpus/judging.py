"""One case from its upload to the comparison of its end with what it must be, by `kfp.Client` alone.

Only what that client cannot read (the outputs of a run, logs) is read from the API beside it.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import kfp_server_api

from fairway.pipelines import sdk

from .cases import Case, Verdict
from .expectations import REFUSED

_EXPERIMENT = "judge"
_LOOKS_EVERY = 0.3


class Wrong(Exception):
    """It is not as it must be; the text says what."""


class Judge:
    def __init__(self, server: sdk.Server) -> None:
        self._server = server
        self._own = threading.local()
        self._experiment: str = server.kfp().create_experiment(_EXPERIMENT).experiment_id

    def all(self, cases: Iterable[Case], at_once: int, tell: Callable[[Verdict], None]) -> list[Verdict]:
        """In the order of `cases`; `tell` hears of each one as it ends."""
        ordered = list(cases)
        with ThreadPoolExecutor(at_once) as pool:
            futures = {pool.submit(self.judge, case): case.name for case in ordered}
            done = {}
            for future in as_completed(futures):
                verdict = future.result()
                done[futures[future]] = verdict
                tell(verdict)
        return [done[case.name] for case in ordered]

    def judge(self, case: Case) -> Verdict:
        begun, got = time.monotonic(), ""
        try:
            got = self._run(case)
            reason = "" if got == case.expected.ends else f"ended {got}"
        except Wrong as wrong:
            got, _, reason = str(wrong).partition("\n")
        except kfp_server_api.ApiException as refused:
            got, reason = REFUSED, _sentence(refused)
            if case.expected.ends == REFUSED and case.expected.message in reason:
                reason = ""
        return Verdict(case, got, time.monotonic() - begun, reason)

    def _run(self, case: Case) -> str:
        """The state in which the run ended. Raises Wrong with the state and, in a second line, what is wrong."""
        expected = case.expected
        pipeline, version = self._upload(case)
        for arguments in expected.after:
            self._finish(self._start(case, pipeline, version, arguments), expected.seconds)
        run = self._start(case, pipeline, version, expected.arguments)
        if expected.stop_when:
            self._stop(run, expected.stop_when, expected.seconds)
        state = self._finish(run, expected.seconds)
        message = self._message(run)
        if state != expected.ends:
            raise Wrong(f"{state}\n{message or 'it says nothing about it'}")
        if expected.message not in message:
            raise Wrong(f"{state}\nit says {message!r}, and not {expected.message!r}")
        if wrong := "; ".join(self._differences(case, run)):
            raise Wrong(f"{state}\n{wrong}")
        return state

    # By the client

    def _upload(self, case: Case) -> tuple[str, str]:
        name = f"{case.name.replace('/', ' ')} {time.time_ns()}"[-120:]
        pipeline = self._client.upload_pipeline(str(case.package), pipeline_name=name)
        version = self._client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions[0]
        return pipeline.pipeline_id, version.pipeline_version_id

    def _start(self, case: Case, pipeline: str, version: str, arguments: Mapping[str, Any]) -> str:
        run = self._client.run_pipeline(
            self._experiment, case.name, pipeline_id=pipeline, version_id=version, params=dict(arguments)
        )
        return str(run.run_id)

    def _finish(self, run: str, seconds: float) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = str(self._client.get_run(run).state)
            if state in sdk.OVER:
                return state
            time.sleep(_LOOKS_EVERY)
        waiting = [f"{step.name} is {step.state}: {step.message}" for step in self._open_steps(run)]
        self._client.terminate_run(run)
        raise Wrong(f"no end\nafter {seconds:.0f} s {'; '.join(waiting)}")

    def _stop(self, run: str, step: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if any(each.name == step and each.state == "RUNNING" for each in self._server.snapshot(run).steps):
                self._client.terminate_run(run)
                return
            time.sleep(_LOOKS_EVERY)
        raise Wrong(f"no end\nstep {step} does not run")

    @property
    def _client(self) -> Any:
        """One for each thread."""
        if not hasattr(self._own, "client"):
            self._own.client = self._server.kfp()
        return self._own.client

    # Beside the client

    def _message(self, run: str) -> str:
        error = self._client.get_run(run).error
        return " ".join((error.message or "").split()) if error else ""

    def _open_steps(self, run: str) -> list[sdk.Step]:
        return [step for step in self._server.snapshot(run).steps if step.state in ("PENDING", "RUNNING")]

    def _tasks(self, run: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            page = self._server.get(f"runs/{run}/tasks", page_size="200", page_token=token)
            found += page.get("tasks", ())
            if not (token := page.get("next_page_token", "")):
                return found

    def _differences(self, case: Case, run: str) -> Iterable[str]:
        expected = case.expected
        tasks = self._tasks(run)
        root = next(task for task in tasks if task["type"] == "ROOT")
        given = {each["parameter_key"]: each.get("value") for each in root.get("outputs", {}).get("parameters", ())}
        for key, value in expected.outputs.items():
            if key not in given or value != given[key]:
                yield f"output {key} is {json.dumps(given.get(key))[:200]}, and not {value}"
        found = defaultdict(set)
        for task in tasks:
            found[task["name"]].add(task["state"])
        for name, state in expected.steps.items():
            if found.get(name) != {state}:
                yield f"{name} is {', '.join(sorted(found.get(name, {'missing'})))}, and not {state}"
        for name, part in expected.says.items():
            logs = [self._server.log(run, task["task_id"]) for task in tasks if task["name"] == name]
            if not any(part in log for log in logs):
                yield f"the log of {name} does not say {part!r}"


def _sentence(refused: kfp_server_api.ApiException) -> str:
    try:
        answer = json.loads(refused.body)
    except (ValueError, TypeError):
        return f"{refused.status} {refused.reason}"
    return str(answer.get("message") or answer.get("error") or answer)
