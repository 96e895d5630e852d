"""Plays whole pipelines without a cluster: the real graph, the real inpod, each step a forked process.

What a controller does with records and pods, this does with a dictionary and `fork`.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairway.pipelines import inpod, ir, outcomes
from fairway.pipelines.render import folders, pods, task_files
from fairway.pipelines.render.graph import Graph
from fairway.pipelines.render.model import Artifact, Hit, Instance, Outcome, RunFacts, State


@dataclass
class Player:
    """`cache` lives across the runs of one player."""

    root: Path
    cache: dict[str, Hit] = field(default_factory=dict)
    now: float = 1_700_000_000.0
    started: list[str] = field(default_factory=list)

    def play(
        self,
        spec: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        platform: Mapping[str, Any] | None = None,
        *,
        artifacts: Mapping[str, tuple[Artifact, ...]] | None = None,
        limit: float = 50,
    ) -> Graph:
        pipeline = ir.load(spec, platform)
        graph = Graph(pipeline, facts(self.root, parameters or {}, artifacts=artifacts or {}))
        graph.begin(self.now)
        end = time.monotonic() + limit
        while not graph.state.ended:
            assert time.monotonic() < end, "the pipeline takes too long"
            self.step(graph)
        return graph

    def step(self, graph: Graph) -> None:
        decisions = graph.decide()
        if decisions.asks:
            graph.answer({each.id: self.cache.get(each.fingerprint) for each in decisions.asks}, self.now)
        for instance in decisions.starts:
            folder = write_task(graph, instance)
            self.started.append(instance.path)
            code = forked(folder)
            outcome = read_outcome(folder, code)
            graph.ended(instance.id, instance.attempts - 1, outcome, f"file://{folder}", self.now)
            if instance.state is State.SUCCEEDED and instance.fingerprint:
                self.cache[instance.fingerprint] = Hit(instance.id, instance.outputs)
        if not (decisions.asks or decisions.starts or graph.state.ended):
            assert graph.next_tick is not None, f"nothing to do, and the run is {graph.state}"
            self.now = graph.next_tick
            graph.tick(self.now)


def facts(root: Path, parameters: Mapping[str, Any], **more: Any) -> RunFacts:
    return RunFacts(
        id=more.pop("id", None) or str(uuid.uuid4()),
        display_name="a run",
        pipeline_name="a-pipeline",
        parameters=parameters,
        created_at=1_700_000_000.0,
        scheduled_at=1_700_000_000.0,
        root=f"file://{root}",
        **more,
    )


def write_task(graph: Graph, instance: Instance) -> Path:
    pods.render(graph.pipeline, graph.run, instance)  # a pod must be possible, even though none is started
    folder = Path(folders.path(folders.address(graph.pipeline, graph.run, instance)))
    folder.mkdir(parents=True)
    (folder / folders.TASK).write_text(json.dumps(task_files.content(graph.pipeline, graph.run, instance)))
    return folder


def forked(folder: Path) -> int:
    """Run inpod in a child process; its output lands beside the task."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            warnings.resetwarnings()
            log = os.open(folder / "log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), write_through=True)
            sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), write_through=True)
            os.chdir(folder)
            code = inpod.run([f"file://{folder}"])
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def read_outcome(folder: Path, code: int) -> Outcome:
    path = folder / folders.OUTCOME
    if not path.exists():
        return Outcome(False, message=f"no outcome, exit status {code}", code=code)
    return outcomes.traces([str(folder)])[0].outcome or Outcome(False)
