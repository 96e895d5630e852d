"""What a scientist's machine does with runs: submit a pipeline, follow it to its end. Synchronous, for scripts and
`fairway run`.

Submitting is the unmodified `kfp.Client`'s work; following reads the API's task records, which that client does not
know. Needs the extra `fairway[pipelines]` for submitting only.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OVER = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")
PACKAGES = (".yaml", ".yml", ".zip", ".tar.gz", ".tgz")

_NO_KFP = "the pipelines SDK is not installed; run `pip install 'fairway[pipelines]'`"


class Failure(Exception):
    """Something that the caller can put right. The text says how."""


class NoAnswer(Failure):
    """The server cannot be reached."""


@dataclass(frozen=True, slots=True)
class Step:
    """A task of a run. `kind` is KFP's: ROOT, RUNTIME, LOOP, CONDITION, ...; times are RFC 3339, or empty."""

    id: str
    parent: str
    name: str
    kind: str
    state: str
    started: str
    finished: str
    iteration: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment, with its steps in the order of their beginning."""

    run_id: str
    name: str
    state: str
    message: str
    steps: tuple[Step, ...]

    @property
    def over(self) -> bool:
        return self.state in OVER


@dataclass(frozen=True, slots=True)
class Server:
    """The platform, as in Server("http://127.0.0.1:8080", token)."""

    url: str
    token: str

    def submit(
        self,
        pipeline: Any,
        arguments: Mapping[str, Any] | None = None,
        *,
        run_name: str = "",
        experiment: str = "",
        caching: bool | None = None,
    ) -> str:
        """Start a run of a pipeline function or of a compiled file, and give its id. Raises Failure."""
        client = self.kfp()
        import kfp_server_api  # noqa: PLC0415 - comes with kfp

        options: dict[str, Any] = {
            "arguments": dict(arguments or {}),
            "run_name": run_name or None,
            "experiment_name": experiment or None,
            "enable_caching": caching,
        }
        # The client prints links; whoever calls us says what is to be said.
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                if isinstance(pipeline, str | Path):
                    result = client.create_run_from_pipeline_package(str(pipeline), **options)
                else:
                    result = client.create_run_from_pipeline_func(pipeline, **options)
            except kfp_server_api.ApiException as refused:
                raise Failure(_told(refused.body, str(refused))) from refused
            except OSError as problem:
                raise NoAnswer(f"the pipeline cannot be submitted: {problem}; see `fairway status`") from problem
            except Exception as wrong:
                # kfp reads the file and compiles the function here; what it raises is of many kinds, and about both.
                name = pipeline if isinstance(pipeline, str | Path) else getattr(pipeline, "name", "the pipeline")
                raise Failure(f"{name} is not a pipeline that can be submitted: {_said(wrong)}") from wrong
        return str(result.run_id)

    def kfp(self) -> Any:
        """The unmodified kfp.Client of this server."""
        try:
            import kfp  # noqa: PLC0415 - an optional dependency
        except ImportError as missing:
            raise Failure(_NO_KFP) from missing
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # it warns of servers older than any of ours
            return kfp.Client(host=self.url, existing_token=self.token)

    def follow(self, run_id: str, *, every: float = 0.25, patience: float = 30.0) -> Iterator[Snapshot]:
        """The run now and after each change, until it is over. The last one given is the end.

        A server that goes away is waited for, `patience` seconds long: runs survive its restart.
        """
        seen: Snapshot | None = None
        answered = time.monotonic()
        while True:
            try:
                current = self.snapshot(run_id)
            except NoAnswer:
                if time.monotonic() - answered > patience:
                    raise
                time.sleep(every)
                continue
            answered = time.monotonic()
            if current != seen:
                yield current
            if current.over:
                return
            seen = current
            time.sleep(every)

    def snapshot(self, run_id: str) -> Snapshot:
        # The run first: once it is over its tasks do not change any more.
        run = self.get(f"runs/{run_id}")
        steps = [_step(task) for task in self._pages(f"runs/{run_id}/tasks", "tasks")]
        message = str((run.get("error") or {}).get("message", ""))
        return Snapshot(run_id, run.get("display_name", ""), run["state"], message, tuple(steps))

    def artifacts(self, run_id: str) -> list[dict[str, Any]]:
        """The artifacts that the run's steps made: artifact_id, name, type, uri, metadata, number_value, `task`."""
        found: dict[str, dict[str, Any]] = {}
        for task in self._pages(f"runs/{run_id}/tasks", "tasks"):
            for output in (task.get("outputs") or {}).get("artifacts", ()):
                for artifact in output["artifacts"]:
                    found.setdefault(artifact["artifact_id"], {**artifact, "task": task["name"]})
        return list(found.values())

    def content(self, artifact_id: str) -> bytes:
        """The bytes of an artifact that is a file."""
        return self._request(f"artifacts/{artifact_id}:content")

    def log(self, run_id: str, step: str) -> str:
        """What the step has written so far; `step` is its id."""
        return self._request(f"runs/{run_id}/nodes/{step}/log").decode(errors="replace")

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """One answer of the API, such as get("runs", page_size="5")."""
        suffix = f"?{urllib.parse.urlencode(query)}" if query else ""
        answer: dict[str, Any] = json.loads(self._request(path + suffix))
        return answer

    def _pages(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            page = self.get(path, page_size="200", **({"page_token": token} if token else {}))
            yield from page.get(key, ())
            token = page.get("next_page_token", "")
            if not token:
                return

    def _request(self, path: str) -> bytes:
        url = f"{self.url}/apis/v2beta1/{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own http address
                content: bytes = answer.read()
        except urllib.error.HTTPError as refused:
            raise Failure(_sentence(refused)) from refused
        except OSError as problem:
            raise NoAnswer(f"{self.url} does not answer ({problem}); see `fairway status`") from problem
        return content


def pipeline_in(path: Path, name: str = "") -> Any:
    """What to submit for a file: a compiled package as it is, the pipeline function of a Python file otherwise.

    `name` chooses among several functions; without it one named `pipeline` is taken, or the only one.
    """
    if not path.is_file():
        raise Failure(f"{path} is not a file; give the path of a pipeline")
    if path.name.endswith(PACKAGES):
        return path
    if path.suffix != ".py":
        raise Failure(f"{path} is neither a Python file nor a compiled pipeline ({', '.join(PACKAGES)})")
    found = _pipelines(path)
    wanted = name or ("pipeline" if "pipeline" in found else next(iter(found)) if len(found) == 1 else "")
    if wanted in found:
        return found[wanted]
    if not found:
        raise Failure(f"{path} defines no pipeline; decorate a function with @dsl.pipeline")
    raise Failure(f"{path} defines the pipelines {', '.join(found)}; choose one by name")


def _pipelines(path: Path) -> dict[str, Callable[..., Any]]:
    try:
        from kfp.dsl.graph_component import GraphComponent  # noqa: PLC0415 - an optional dependency
    except ImportError as missing:
        raise Failure(_NO_KFP) from missing
    module_name = path.stem.replace("-", "_")
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise Failure(f"{path} cannot be read")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))  # as `python pipeline.py` would have it
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*default base_image", category=FutureWarning)  # not our image
            spec.loader.exec_module(module)
    except SyntaxError as wrong:
        raise Failure(f"{wrong.filename}, line {wrong.lineno}: {wrong.msg}; correct it and run again") from wrong
    except (Exception, SystemExit) as wrong:
        raise Failure(f"{_place(wrong, path)}: {_said(wrong)}; correct it and run again") from wrong
    finally:
        sys.path.pop(0)
    return {key: value for key, value in vars(module).items() if isinstance(value, GraphComponent)}


def _place(wrong: BaseException, path: Path) -> str:
    """The author's own line that was being read when it went wrong."""
    lines = [frame.lineno for frame in traceback.extract_tb(wrong.__traceback__) if frame.filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _said(wrong: BaseException) -> str:
    return " ".join(traceback.format_exception_only(wrong)[-1].split())


def _step(task: Mapping[str, Any]) -> Step:
    iteration = (task.get("type_attributes") or {}).get("iteration_index")
    return Step(
        id=task["task_id"],
        parent=task.get("parent_task_id", ""),
        name=task.get("display_name") or task.get("name", ""),
        kind=task.get("type", ""),
        state=task["state"],
        started=task.get("start_time", ""),
        finished=task.get("end_time", ""),
        iteration=int(iteration) if iteration is not None else None,
        message=str((task.get("error") or {}).get("message", "")),
    )


def _sentence(refused: urllib.error.HTTPError) -> str:
    return _told(refused.read(), f"{refused.url} was answered with {refused.code}")


def _told(body: str | bytes | None, otherwise: str) -> str:
    """The server's own sentence."""
    try:
        return str(json.loads(body or b"")["message"])
    except (ValueError, KeyError, TypeError):
        return otherwise
