"""The platform as a scientist's machine sees it. Synchronous, for scripts, notebooks and the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fairway.pipelines.sdk import following, submitting
from fairway.pipelines.sdk.steps import Snapshot
from fairway.pipelines.sdk.wire import Api


class Server(Api):
    """The platform, as in Server("http://127.0.0.1:8080", token). `connect` finds the one that runs here."""

    __slots__ = ()

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
        return submitting.submit(self, pipeline, arguments, run_name=run_name, experiment=experiment, caching=caching)

    def kfp(self) -> Any:
        """The unmodified kfp.Client of this server."""
        return submitting.client(self)

    def follow(self, run_id: str, *, every: float = 0.25, patience: float = 30.0) -> Iterator[Snapshot]:
        """The run now and after each change, until it is over. See `following`."""
        return following.follow(self, run_id, every=every, patience=patience)

    def snapshot(self, run_id: str) -> Snapshot:
        return following.snapshot(self, run_id)

    def artifacts(self, run_id: str) -> list[dict[str, Any]]:
        """The artifacts that the run's steps made: artifact_id, name, type, uri, metadata, number_value, `task`."""
        found: dict[str, dict[str, Any]] = {}
        for task in self.pages(f"runs/{run_id}/tasks", "tasks"):
            for output in (task.get("outputs") or {}).get("artifacts", ()):
                for artifact in output["artifacts"]:
                    found.setdefault(artifact["artifact_id"], {**artifact, "task": task["name"]})
        return list(found.values())

    def content(self, artifact_id: str) -> bytes:
        """The bytes of an artifact that is a file."""
        return self.read(f"artifacts/{artifact_id}:content")

    def log(self, run_id: str, step: str) -> str:
        """What the step has written so far; `step` is its id."""
        return self.read(f"runs/{run_id}/nodes/{step}/log").decode(errors="replace")
