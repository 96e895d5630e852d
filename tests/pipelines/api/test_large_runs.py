"""Runs of ten thousand tasks: asking how one is costs no more than for a small one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from fairway.pipelines.tables import tasks
from tests.pipelines.api.conftest import Server, hello

TASKS = 10_000


@pytest.fixture
async def large(server: Server) -> str:
    body = {"pipeline_spec": hello(), "runtime_config": {"parameters": {"text": "hi"}}}
    _, made = await server.call("POST", "runs", body)
    run = str(made["run_id"])

    def row(id_: str, parent: str, state: str = "SUCCEEDED") -> dict[str, Any]:
        row = {"id": f"{run}-{id_}", "run_id": run, "parent_task_id": f"{run}-{parent}" if parent else ""}
        more = {"name": id_, "scope_path": id_, "type": "RUNTIME", "state": state, "created_at": 1.0, "states": []}
        return {**row, **more, "outputs": {"Output": "x" * 1000}}

    def write(connection: Connection) -> None:
        inside = [row(str(number), "loop") for number in range(TASKS)]
        inside[7000]["state"], inside[8000]["state"] = "FAILED", "RUNNING"
        connection.execute(tasks.insert(), [row("root", ""), row("loop", "root"), *inside])

    await server.records.write(write)
    return run


async def test_a_run_tells_of_what_matters_most(server: Server, large: str) -> None:
    run = await server.get(f"runs/{large}")
    told = {task["display_name"]: task["state"] for task in run["run_details"]["task_details"]}
    assert told == {"root": "SUCCEEDED", "loop": "SUCCEEDED", "7000": "FAILED", "8000": "RUNNING"}
    (loop,) = (task for task in run["run_details"]["task_details"] if task["display_name"] == "loop")
    assert len(loop["child_tasks"]) == 2


async def test_its_tasks_are_listed_page_by_page(server: Server, large: str) -> None:
    found = await server.get(f"runs/{large}/tasks", parent_id=f"{large}-loop", page_size="200")
    assert (len(found["tasks"]), found["total_size"]) == (200, TASKS)
    above = await server.get(f"runs/{large}/tasks", parent_id=f"{large}-root")
    assert len(above["tasks"][0]["child_tasks"]) == 1000
