"""Clones and reruns through the API, with records that an engine could have left. No engine here."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, select

from fairway.pipelines.render.board import task_id
from fairway.pipelines.tables import artifacts, experiments, runs, task_artifacts, tasks
from tests.pipelines.api.conftest import Server
from tests.pipelines.engine.specs import In, Out, Spec, task


def document() -> dict[str, Any]:
    spec = Spec().step("make", {"n": int}, {"data": "Dataset"}).step("use", {"data": "Dataset", "rate": (float, 0.1)})
    spec.step("list", outputs={"Output": list}).step("free")
    spec.dag("body", {"train": task("use", {}, {"data": In("data")})}, {"item": int, "data": "Dataset"})
    tasks_ = {
        "make": task("make", {"n": In("n")}),
        "loop": task("body", {}, {"data": Out("make", "data")}, each=[1, 2]),
        "report": task("free", after=("loop",)),
        "free": task("free"),
    }
    return spec.compiled(tasks_, {"n": (int, 3)})


LEAVES = ("make", "loop[0]/train", "loop[1]/train", "report", "free")


@pytest.fixture
async def run(server: Server, tmp_path: Path) -> str:
    """A run of that pipeline whose report failed."""
    body = {"display_name": "first", "pipeline_spec": document(), "runtime_config": {"parameters": {"n": 5}}}
    _, made = await server.call("POST", "runs", body)
    run_id = str(made["run_id"])
    await server.records.write(lambda connection: _ended(connection, run_id, tmp_path))
    return run_id


def _ended(connection: Connection, run_id: str, folder: Path) -> None:
    run = uuid.UUID(run_id)
    for path in (*LEAVES, "loop"):
        place = folder / "tasks" / path.replace("/", "-")
        place.mkdir(parents=True, exist_ok=True)
        present = [str(folder / "data")] if path == "make" else []
        (place / "outcome.json").write_bytes(orjson.dumps({"succeeded": True, "present": present}))
        row = {
            "id": task_id(run, path),
            "run_id": run_id,
            "name": path.rpartition("/")[2],
            "type": "LOOP" if path == "loop" else "RUNTIME",
            "iteration_count": 2 if path == "loop" else None,
            "scope_path": path,
            "state": "FAILED" if path == "report" else "SUCCEEDED",
            "folder": f"file://{place}",
            "created_at": 1.0,
            "attempts": 1,
            "outputs": {},
            "states": [],
        }
        connection.execute(tasks.insert().values(**row))
    (folder / "data").write_text("bytes")
    artifact = {"id": f"{run_id}-data", "name": "data", "type": "system.Dataset", "created_at": 1.0, "metadata": {}}
    connection.execute(artifacts.insert().values(**artifact, uri=f"file://{folder}/data"))
    for path, output in (("make", True), ("loop[0]/train", False)):
        link = {"task_id": task_id(run, path), "output": output, "key": "data", "position": 0, "run_id": run_id}
        connection.execute(task_artifacts.insert().values(**link, artifact_id=f"{run_id}-data", type="OUTPUT"))
    connection.execute(runs.update().where(runs.c.id == run_id).values(state="FAILED"))


async def rerun(server: Server, run: str, verb: str = "rerun", **body: Any) -> tuple[int, Any]:
    return await server.call("POST", f"runs/{run}:{verb}", body)


async def rows(server: Server, run: str) -> dict[str, dict[str, Any]]:
    query = select(tasks).where(tasks.c.run_id == run)
    found = await server.records.read(lambda connection: connection.execute(query).mappings().all())
    return {row["scope_path"]: dict(row) for row in found}


async def record(server: Server, run: str) -> dict[str, Any]:
    query = select(runs).where(runs.c.id == run)
    return dict(await server.records.read(lambda connection: connection.execute(query).mappings().one()))


async def test_a_clone_is_the_same_run_with_other_parameters(server: Server, run: str) -> None:
    status, made = await rerun(server, run, "clone")
    assert (status, made["display_name"], made["source_run_id"], made["state"]) == (
        200,
        "Clone of first",
        run,
        "PENDING",
    )
    assert made["runtime_config"]["parameters"] == {"n": 5}
    _, other = await rerun(server, run, "clone", display_name="mine", runtime_config={"parameters": {"n": 7.0}})
    assert (other["display_name"], other["runtime_config"]["parameters"]) == ("mine", {"n": 7})
    assert await rows(server, other["run_id"]) == {}
    assert other["pipeline_spec"] == made["pipeline_spec"]
    status, wrong = await rerun(server, run, "clone", runtime_config={"parameters": {"m": 1}})
    assert (status, wrong["message"]) == (400, "the pipeline has no parameter m; it has n")


async def test_a_rerun_takes_over_what_does_not_follow(server: Server, run: str) -> None:
    status, made = await rerun(server, run, **{"from": ["loop[1]/train"]})
    assert (status, made["display_name"], made["source_run_id"]) == (200, "Rerun of first", run)
    new = await rows(server, made["run_id"])
    assert set(new) == {"make", "loop[0]/train", "free"}
    taken, id_ = new["loop[0]/train"], uuid.UUID(made["run_id"])
    assert (taken["id"], taken["parent_task_id"]) == (task_id(id_, "loop[0]/train"), task_id(id_, "loop[0]"))
    assert (taken["state"], taken["cached_from"], taken["attempts"], taken["pod_name"]) == (
        "CACHED",
        task_id(uuid.UUID(run), "loop[0]/train"),
        0,
        "",
    )
    query = select(task_artifacts).where(task_artifacts.c.run_id == made["run_id"])
    links = await server.records.read(lambda connection: connection.execute(query).mappings().all())
    assert {(link["task_id"], link["output"]) for link in links} == {(new["make"]["id"], True), (taken["id"], False)}
    assert {link["artifact_id"] for link in links} == {f"{run}-data"}
    assert (await record(server, made["run_id"]))["overrides"] == {"loop[1]/train": {}}


async def test_a_rerun_of_a_rerun_takes_from_where_steps_really_ran(server: Server, run: str) -> None:
    _, first = await rerun(server, run, **{"from": ["report"], "inputs": {"report": {}}})
    _, second = await rerun(server, first["run_id"], **{"from": ["free"]})
    taken = await rows(server, second["run_id"])
    assert set(taken) == {"make", "loop[0]/train", "loop[1]/train"}
    assert taken["make"]["cached_from"] == task_id(uuid.UUID(run), "make")


async def test_inputs_of_steps_that_run_are_changed(server: Server, run: str) -> None:
    _, made = await rerun(server, run, **{"from": ["loop"], "inputs": {"loop/train": {"rate": 1.0}}})
    assert (await record(server, made["run_id"]))["overrides"] == {"loop": {}, "loop/train": {"rate": 1}}
    assert set(await rows(server, made["run_id"])) == {"make", "free"}
    _, again = await rerun(server, made["run_id"], "clone")
    assert (await record(server, again["run_id"]))["overrides"]["loop/train"] == {"rate": 1}


async def test_a_changed_parameter_runs_what_takes_it(server: Server, run: str) -> None:
    _, made = await rerun(server, run, runtime_config={"parameters": {"n": 6}})
    assert set(await rows(server, made["run_id"])) == {"free"}
    assert (await record(server, made["run_id"]))["parameters"] == {"n": 6}


async def test_what_is_gone_runs_again_with_what_follows_it(server: Server, run: str, tmp_path: Path) -> None:
    (tmp_path / "data").unlink()
    _, made = await rerun(server, run, **{"from": ["report"]})
    assert set(await rows(server, made["run_id"])) == {"free"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "name the steps that are to run again"),
        ({"from": []}, "name the steps that are to run again"),
        ({"from": "make"}, "from must be a list"),
        ({"from": ["nope"]}, "there is no step 'nope': in the pipeline there are free, loop, make, report"),
        ({"from": ["loop/nope"]}, "in loop there are train"),
        ({"from": ["loop[2]/train"]}, "loop has 2 iterations, from 0 on"),
        ({"from": ["make[0]"]}, "make is no loop"),
        ({"from": ["report"], "inputs": {"make": {"n": 1}}}, "it does not run again: name it in from as well"),
        ({"from": ["make"], "inputs": {"make": {"m": 1}}}, "the step 'make' has no input 'm'; it has n"),
        ({"from": ["make"], "inputs": {"make": {"n": "x"}}}, "the step 'make': input 'n': expected an integer"),
        ({"from": ["make"], "inputs": {"make": {"n": None}}}, "the step 'make' needs a value for its input 'n'"),
        ({"from": ["make"], "inputs": {"loop": {"item": 1}}}, "'item' is the item of the loop 'loop'"),
        ({"from": ["make"], "inputs": ["make"]}, "inputs must be an object"),
        ({"from": ["make"], "runtime_config": {"parameters": {"x": 1}}}, "the pipeline has no parameter x"),
        ({"form": ["make"]}, 'unknown field "form"'),
    ],
)
async def test_mistakes_are_answered_with_what_there_is(server: Server, run: str, body: Any, said: str) -> None:
    status, answer = await rerun(server, run, **body)
    assert (status, said in answer["message"]) == (400, True), answer


async def test_a_pipeline_with_a_workspace_is_not_run_from_its_middle(server: Server) -> None:
    config = {"platforms": {"kubernetes": {"pipelineConfig": {"workspace": {"size": "1Gi"}}}}}
    spec = {"pipeline_spec": document(), "platform_spec": config}
    _, made = await server.call("POST", "runs", {"pipeline_spec": spec})
    status, answer = await rerun(server, made["run_id"], **{"from": ["make"]})
    assert (status, "workspace" in answer["message"]) == (400, True)
    assert (await rerun(server, made["run_id"], "clone"))[0] == 200


async def test_a_service_account_reruns_in_its_own_namespace_only(server: Server, run: str) -> None:
    server.act_as("system:serviceaccount:elsewhere:default")
    for verb in ("clone", "rerun"):
        assert (await rerun(server, run, verb, **({"from": ["make"]} if verb == "rerun" else {})))[0] == 403


async def test_a_run_whose_experiment_is_gone_goes_into_the_default_one(server: Server, run: str) -> None:
    await server.records.write(lambda connection: connection.execute(experiments.delete()))
    status, made = await rerun(server, run, "clone")
    assert status == 200
    assert (await server.get(f"experiments/{made['experiment_id']}"))["display_name"] == "Default"


async def test_a_replay_names_variables_from_secrets_and_gives_no_value(server: Server) -> None:
    spec = Spec().step("s", {"n": int}, env=[{"name": "COLOUR", "value": "blue"}], command=["echo", "hello"])
    settings = {
        "secretAsEnv": [{"secretName": "keys", "keyToEnv": [{"secretKey": "token", "envVar": "TOKEN"}]}],
        "fieldPathAsEnv": [{"name": "MY_NAME", "fieldPath": "metadata.name"}],
    }
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-s": settings}}}}}
    documents = {"pipeline_spec": spec.compiled({"s": task("s", {"n": 3})}), "platform_spec": platform}
    _, made = await server.call("POST", "runs", {"pipeline_spec": documents})
    run_id, id_ = made["run_id"], task_id(uuid.UUID(made["run_id"]), "s")
    row = {"id": id_, "run_id": run_id, "name": "s", "display_name": "s", "type": "RUNTIME", "scope_path": "s"}
    folder = f"{server.artifacts.root}/{run_id}/s"
    more = {"state": "PENDING", "created_at": 1.0, "states": []}
    await server.records.write(lambda connection: connection.execute(tasks.insert().values(**row, **more)))
    path = f"runs/{run_id}/tasks/{id_}:replay"
    assert "has not begun" in (await server.call("GET", path))[1]["message"]
    await server.records.write(lambda connection: connection.execute(tasks.update().values(folder=folder)))
    assert (await server.call("GET", path))[0] == 404
    given = {"command": ["echo", "hello"], "args": [], "executorInput": {"outputs": {}}, "defaults": {}, "job": {}}
    await server.artifacts.put(f"{folder}/task.json", orjson.dumps({**given, "outputs": {}}))
    status, replay = await server.call("GET", path)
    assert (status, replay["python"], replay["command"]) == (200, False, ["echo", "hello"])
    assert (replay["env"], replay["env_elsewhere"]) == ({"COLOUR": "blue"}, ["MY_NAME", "TOKEN"])
    assert "keys" not in orjson.dumps(replay).decode()
