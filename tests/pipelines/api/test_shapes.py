"""Each message has the shape of the one that a real server of upstream's gave: its keys, kinds, words and times."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from fairway.pipelines.tables import run_states, runs
from tests.pipelines.api.conftest import Server, hello

CORPORA = Path(os.environ.get("FAIRWAY_CORPORA") or Path(__file__).parents[4] / "shared" / "corpora")
RECORDED = CORPORA / "kfp" / "api" / "generated-1791485"

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?Z")
WORD = re.compile(r"[A-Z][A-Z_]+")
FREE = {"pipeline_spec", "parameters", "tags"}
"""Maps that belong to the client: what is in them is no part of the shape."""
NOT_OURS = {"plugins_input", "plugins_output"}
"""Refused by name."""
OF_FAILURES = {"error"}
"""Recorded on messages of what went well too, with the code 0; here only where something went wrong."""


def recorded(name: str) -> dict[str, Any]:
    path = RECORDED / f"{name}.json"
    if not path.exists():
        pytest.skip(f"no recorded answers at {path}")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def kind(value: Any) -> str:
    """What a client has to be ready for: a time, one of an enumeration's words, an int64 in a text, or JSON's kind."""
    if isinstance(value, str):
        if TIME.fullmatch(value):
            return "time"
        if value.isdecimal():
            return "int64"
        return "word" if WORD.fullmatch(value) else "text"
    return type(value).__name__


def differences(ours: Any, theirs: Any, place: str = "") -> list[str]:
    """What a client of theirs would trip over in ours. What is empty or null in theirs tells nothing of its kind."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping) and place.rpartition(".")[2] not in FREE:
        found = [f"{place}.{key} is not one of theirs" for key in sorted(ours.keys() - theirs.keys())]
        for key in sorted(ours.keys() & theirs.keys()):
            found += differences(ours[key], theirs[key], f"{place}.{key}")
        return found
    if theirs in (None, "", [], {}) or kind(ours) == kind(theirs):
        return []
    return [f"{place} is {kind(ours)}, theirs {kind(theirs)}"]


def missing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> set[str]:
    """What theirs says and ours leaves out. (Unset fields are left out of both on the wire.)"""
    said = {key for key, value in theirs.items() if value not in (None, "", [], {}, False, "0")}
    return said - ours.keys() - NOT_OURS - OF_FAILURES


def agrees(ours: Mapping[str, Any], name: str, *unset: str) -> None:
    theirs = recorded(name)
    assert differences(ours, theirs) == []
    assert missing(ours, theirs) <= set(unset)


async def version(server: Server) -> dict[str, str]:
    """The reference of a version whose messages are checked where they are made."""
    pipeline = {"name": "p", "display_name": "A pipeline", "description": "d", "tags": {"a": "b"}}
    status, made = await server.call("POST", "pipelines", pipeline)
    assert status == 200
    source = {"name": "v", "display_name": "V 1", "description": "d", "code_source_url": "https://example.com/x"}
    path = f"pipelines/{made['pipeline_id']}/versions"
    status, first = await server.call("POST", path, {**source, "tags": {"a": "b"}, "pipeline_spec": hello()})
    assert status == 200
    agrees(made, "pipeline")
    agrees(first, "pipeline_version", "package_url")
    assert first["pipeline_spec"] == hello()
    return {"pipeline_id": made["pipeline_id"], "pipeline_version_id": first["pipeline_version_id"]}


async def run(server: Server, state: str, **fields: Any) -> dict[str, Any]:
    """A run that has ended so, made with all fields that a client may set."""
    body = {
        "display_name": "A run",
        "description": "d",
        "service_account": "sa1",
        "runtime_config": {"parameters": {"text": "hi", "times": 3}},
        **fields,
    }
    status, made = await server.call("POST", "runs", body)
    assert status == 200, made
    error = {"error_code": 13, "error_message": "a step failed"} if state == "FAILED" else {}

    def end(connection: Connection) -> None:
        ended = {"state": state, "finished_at": 1.7e9, "recurring_run_id": "every-day", **error}
        connection.execute(runs.update().where(runs.c.id == made["run_id"]).values(**ended))
        connection.execute(run_states.insert().values(run_id=made["run_id"], state=state, at=1.7e9, **error))

    await server.records.write(end)
    found: dict[str, Any] = await server.get(f"runs/{made['run_id']}")
    assert [kind(each["update_time"]) for each in found["state_history"]] == ["time", "time"]
    return found


async def test_experiments(server: Server) -> None:
    made = (await server.call("POST", "experiments", {"display_name": "e", "description": "d"}))[1]
    agrees(made, "experiment")
    assert made["last_run_created_at"] == "1970-01-01T00:00:00Z"


async def test_runs_of_versions_and_the_versions(server: Server) -> None:
    reference = await version(server)
    agrees(await run(server, "SUCCEEDED", pipeline_version_reference=reference), "run_completed")


async def test_runs_of_packages(server: Server) -> None:
    agrees(await run(server, "SUCCEEDED", pipeline_spec=hello()), "run_completed_with_spec")


async def test_runs_that_failed(server: Server) -> None:
    failed = await run(server, "FAILED", pipeline_spec=hello())
    theirs = {**recorded("run_failed"), "pipeline_spec": {}}
    assert differences(failed, theirs) == []
    assert missing(failed, theirs) == set()
    assert failed["error"].keys() == theirs["error"].keys()
    assert failed["state_history"][-1]["error"] == failed["error"]


async def test_both_shapes_of_a_pipeline_come_back_as_they_were_sent(server: Server) -> None:
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}
    assert list(recorded("platform_spec")) == list(platform)
    for spec in (hello(), {"pipeline_spec": hello(), "platform_spec": platform}):
        assert (await run(server, "SUCCEEDED", pipeline_spec=spec))["pipeline_spec"] == spec


async def test_recurring_runs(server: Server) -> None:
    theirs = recorded("recurring_run")
    body = {
        "display_name": "Every day",
        "description": "d",
        "pipeline_version_reference": await version(server),
        "runtime_config": {"parameters": {"text": "hi"}},
        "service_account": "sa3",
        "max_concurrency": "2",
        "trigger": {"periodic_schedule": {"start_time": "2024-01-01T12:00:00Z", "interval_second": "86400"}},
        "mode": "DISABLE",
        "no_catchup": True,
    }
    status, made = await server.call("POST", "recurringruns", body)
    assert status == 200, made
    ours = {"next_slots", "late_after_seconds", "created_by"}
    assert differences({key: made[key] for key in made.keys() - ours}, theirs) == []
    assert missing(made, theirs) == set()
