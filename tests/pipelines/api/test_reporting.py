"""KFP 3.0's task and artifact services: who plays a run elsewhere reports it; what is played here nobody else does."""

import base64
from typing import Any

import pytest
from sqlalchemy import select

from fairway.pipelines.kinds import RUN
from fairway.pipelines.tables import artifacts, cache_entries, task_artifacts, tasks
from tests.pipelines.api.conftest import Server, hello

NOBODY = "00000000-0000-0000-0000-000000000000"


async def create(server: Server, **fields: Any) -> str:
    config = {"parameters": {"text": "hi"}}
    body = {"display_name": "r", "pipeline_spec": hello(), "runtime_config": config, **fields}
    status, made = await server.call("POST", "runs", body)
    assert status == 200, made
    return str(made["run_id"])


async def posted(server: Server, path: str, body: Any, method: str = "POST") -> Any:
    status, answer = await server.call(method, path, body)
    assert status == 200, answer
    return answer


async def report(server: Server, run: str, **task: Any) -> str:
    return str((await posted(server, f"runs/{run}/tasks", task))["task_id"])


async def test_a_run_that_somebody_else_plays_follows_its_root(server: Server) -> None:
    run = await create(server, external=True)
    assert (await server.get(f"runs/{run}"))["external"] is True
    root = await report(server, run, name="root", type="ROOT", scope_path="root")
    assert (await server.get(f"runs/{run}"))["state"] == "RUNNING"
    given = {"parameter_key": "rows", "value": 3, "type": "TASK_OUTPUT_INPUT",
             "producer": {"task_name": "load", "iteration": "2"}}  # fmt: skip
    step = await report(
        server, run, name="train", parent_task_id=root, scope_path="root.train", inputs={"parameters": [given]},
        pods=[{"name": "driver-pod", "uid": "1", "type": "DRIVER"}, {"name": "pod", "uid": "2", "type": "EXECUTOR"}],
        type_attributes={"iteration_index": "1"}, cache_fingerprint="f" * 64,
    )  # fmt: skip
    again = await report(server, run, name="train", parent_task_id=root, scope_path="root.train")
    found = await server.get(f"runs/{run}/tasks/{step}")
    assert {key: found[key] for key in ("state", "type", "scope_path", "cache_fingerprint", "type_attributes")} == {
        "state": "RUNNING", "type": "RUNTIME", "scope_path": "root.train", "cache_fingerprint": "f" * 64,
        "type_attributes": {"iteration_index": "1"},
    }  # fmt: skip
    assert found["inputs"]["parameters"] == [given]
    assert found["pods"] == [{"name": "pod", "type": "EXECUTOR"}]
    one = {"parameters": [{"parameter_key": "a", "value": 1, "type": "OUTPUT"}]}
    other = {"parameters": [{"parameter_key": "b", "value": [2]}]}
    await posted(server, f"runs/{run}/tasks/{step}", {"outputs": one}, "PATCH")
    changed = await posted(server, f"runs/{run}/tasks/{step}", {"outputs": other, "state": "SUCCEEDED"}, "PATCH")
    assert {each["parameter_key"]: each["value"] for each in changed["outputs"]["parameters"]} == {"a": 1, "b": [2]}
    assert [state["state"] for state in changed["state_history"]] == ["RUNNING", "SUCCEEDED"]
    assert changed["end_time"]
    failed = {"state": "FAILED", "status_metadata": {"message": "out of memory"}}
    both = await posted(server, f"runs/{run}/tasks:batchUpdate", {"tasks": {root: failed, again: {"state": "SKIPPED"}}})
    assert both["tasks"][again]["state"] == "SKIPPED"
    assert [child["task_id"] for child in both["tasks"][root]["child_tasks"]] == [step, again]
    ended = await server.get(f"runs/{run}", view="FULL")
    assert (ended["state"], ended["error"]["message"], ended["task_count"]) == ("FAILED", "out of memory", 3)
    assert [state["state"] for state in ended["state_history"]] == ["PENDING", "RUNNING", "FAILED"]
    assert ended["finished_at"] > "2020"
    status, refusal = await server.call("PATCH", f"runs/{run}/tasks/{step}", {"state": "FAILED"})
    assert (status, refusal["code"]) == (400, 9)
    assert "the run is over (FAILED)" in refusal["message"]
    assert await server.client.find(RUN, run, "default") is None


async def test_a_run_of_somebody_else_is_canceled_once_its_root_has_ended(server: Server) -> None:
    run = await create(server, external=True)
    root = await report(server, run, name="root", type="ROOT")
    assert await server.call("POST", f"runs/{run}:terminate") == (200, {})
    await posted(server, f"runs/{run}/tasks/{root}", {"display_name": "still there"}, "PATCH")
    assert (await server.get(f"runs/{run}"))["state"] == "CANCELING"
    await posted(server, f"runs/{run}/tasks/{root}", {"state": "FAILED"}, "PATCH")
    assert (await server.get(f"runs/{run}"))["state"] == "CANCELED"
    for verb in ("retry", "pause", "resume"):
        status, refusal = await server.call("POST", f"runs/{run}:{verb}")
        assert (status, refusal["code"]) == (400, 9), verb
        assert "somebody else plays this run" in refusal["message"]
    assert (await server.call("DELETE", f"runs/{run}"))[0] == 200


async def test_nobody_else_writes_what_is_played_here(server: Server) -> None:
    run = await create(server)
    await server.client.wait(RUN, run, "default", lambda found: found is not None)
    values = {"id": "t", "run_id": run, "name": "t", "type": "ROOT", "scope_path": "", "state": "RUNNING"}
    made = {"id": "a", "name": "model", "type": "system.Model", "created_at": 1.0}
    await server.records.write(lambda c: c.execute(tasks.insert().values(created_at=1.0, **values)))
    await server.records.write(lambda c: c.execute(artifacts.insert().values(made)))
    link = {"artifact_id": "a", "run_id": run, "task_id": "t", "type": "OUTPUT", "key": "k", "producer": {}}
    artifact = {"artifact": {"name": "n", "type": "Model"}, "run_id": run, "task_id": "t", "producer_key": "k"}
    for method, path, body in (
        ("POST", f"runs/{run}/tasks", {"name": "mine"}),
        ("PATCH", f"runs/{run}/tasks/t", {"state": "SUCCEEDED"}),
        ("POST", f"runs/{run}/tasks:batchUpdate", {"tasks": {"t": {"state": "SUCCEEDED"}}}),
        ("POST", "artifacts", artifact),
        ("POST", "artifacts:batchCreate", {"artifacts": [artifact]}),
        ("POST", "artifact_tasks", {"artifact_task": link}),
        ("POST", "artifact_tasks:batchCreate", {"artifact_tasks": [link]}),
    ):
        status, refusal = await server.call(method, path, body)
        assert (status, refusal["code"]) == (400, 9), path
        assert "only the engine writes what becomes of it; to report on a run of your own" in refusal["message"]
    for table, count in ((tasks, 1), (artifacts, 1), (task_artifacts, 0)):
        rows = await server.records.read(lambda c, table=table: c.execute(select(table)).all())
        assert len(rows) == count
    assert (await server.get(f"runs/{run}"))["state"] == "PENDING"


async def test_workloads_report_on_runs_of_their_own_namespace(server: Server) -> None:
    run = await create(server, external=True)
    server.act_as("system:serviceaccount:elsewhere:default")
    assert (await server.call("POST", f"runs/{run}/tasks", {"name": "root"}))[0] == 403
    server.act_as("system:serviceaccount:default:default")
    assert (await server.call("POST", f"runs/{run}/tasks", {"name": "root"}))[0] == 200


async def test_artifacts_are_registered_linked_and_used_again(server: Server) -> None:
    run = await create(server, external=True)
    root = await report(server, run, name="root", type="ROOT")
    step = await report(server, run, name="train", parent_task_id=root)
    of_step = {"run_id": run, "task_id": step}
    model = {"name": "model", "type": "Model", "uri": "s3://b/k", "metadata": {"f": [1]}, "description": "d"}
    made = await posted(server, "artifacts", {"artifact": model, "producer_key": "model", **of_step})
    assert {key: made[key] for key in model} == model
    reused = {"artifact": model, "producer_key": "again", "reuse_if_exists": True, **of_step}
    assert (await posted(server, "artifacts", reused))["artifact_id"] == made["artifact_id"]
    changed = {**reused, "artifact": {**model, "metadata": {"f": [2]}}}
    assert (await posted(server, "artifacts", changed))["artifact_id"] != made["artifact_id"]
    scores = [{"artifact": {"name": name, "type": "Metric", "number_value": value}, "producer_key": "scores",
               "iteration_index": "4", **of_step} for name, value in (("auc", 0.5), ("loss", 0))]  # fmt: skip
    both = (await posted(server, "artifacts:batchCreate", {"artifacts": scores}))["artifacts"]
    assert [(each["type"], each["number_value"]) for each in both] == [("Metric", 0.5), ("Metric", 0.0)]
    link = {"artifact_id": made["artifact_id"], "run_id": run, "task_id": root, "type": "COMPONENT_INPUT", "key": "in",
            "producer": {"task_name": "train", "iteration": "0"}}  # fmt: skip
    assert (await posted(server, "artifact_tasks", {"artifact_task": link})) == {**link, "id": f"{root}/in/in/0"}
    more = await posted(server, "artifact_tasks:batchCreate", {"artifact_tasks": [link, {**link, "type": "OUTPUT"}]})
    assert [each["id"] for each in more["artifact_tasks"]] == [f"{root}/in/in/1", f"{root}/out/in/0"]
    task = await server.get(f"runs/{run}/tasks/{step}")
    by_key = {each["artifact_key"]: each for each in task["outputs"]["artifacts"]}
    assert [each["name"] for each in by_key["scores"]["artifacts"]] == ["auc", "loss"]
    assert by_key["scores"]["producer"] == {"task_name": "train", "iteration": "4"}
    uri = '{"predicates":[{"operation":"EQUALS","key":"uri","stringValue":"s3://b/k"}]}'
    assert (await server.get("artifacts", filter=uri))["total_size"] == 2
    models = '{"predicates":[{"operation":"EQUALS","key":"type","stringValue":"Model"}]}'
    assert (await server.get("artifacts", filter=models))["total_size"] == 2
    assert (await server.get("runs", sort_by="metric:auc desc"))["runs"][0]["run_id"] == run
    scalars = await server.records.read(lambda c: c.execute(select(artifacts.c.type).distinct()).scalars().all())
    assert set(scalars) == {"system.Model", "system.Metric"}


async def test_links_are_listed_page_by_page(server: Server) -> None:
    run = await create(server, external=True)
    root = await report(server, run, name="root", type="ROOT")
    model = {"artifact": {"name": "m", "type": "Model"}, "run_id": run, "task_id": root, "producer_key": "m"}
    for _ in range(5):
        await posted(server, "artifacts", model)
    seen: list[str] = []
    token = ""
    while True:
        page = await server.get("artifact_tasks", run_ids=run, page_size="2", page_token=token)
        seen += [each["id"] for each in page["artifact_tasks"]]
        assert page["total_size"] == 5
        token = page.get("next_page_token", "")
        if not token:
            break
    assert seen == [f"{root}/out/m/{position}" for position in range(5)]
    assert await server.get("artifact_tasks", run_ids=run, type="COMPONENT_INPUT") == {}
    far = base64.urlsafe_b64encode(b'["a",true,"m",18446744073709551615]').decode()
    for wrong in ({}, {"run_ids": ""}, {"run_ids": run, "sort_by": "key"}, {"run_ids": run, "filter": "{}"},
                  {"run_ids": run, "page_token": "x"}, {"run_ids": run, "page_token": far},
                  {"run_ids": run, "page_size": "-1"}):  # fmt: skip
        assert (await server.call("GET", "artifact_tasks", **wrong))[0] == 400, wrong


async def test_a_page_of_runs_with_all_their_tasks_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        run = await create(server, external=True)
        root = await report(server, run, name="root", type="ROOT")
        await report(server, run, name="step", parent_task_id=root)
    monkeypatch.setattr("fairway.pipelines.api.listing.LARGEST_ANSWER", 12_000)
    assert len((await server.get("runs"))["runs"]) == 3
    full = await server.get("runs", view="FULL")
    assert [len(each["tasks"]) for each in full["runs"]] == [2]
    assert full["total_size"] == 3
    second = await server.get("runs", view="FULL", page_token=full["next_page_token"])
    assert [each["run_id"] for each in second["runs"]] != [each["run_id"] for each in full["runs"]]


async def test_a_task_is_found_by_its_fingerprint(server: Server) -> None:
    run = await create(server)
    rows = [
        {"id": f"t{number}", "run_id": run, "name": "t", "type": "RUNTIME", "scope_path": f"t{number}",
         "state": "SUCCEEDED", "created_at": 1.0} for number in range(2)
    ]  # fmt: skip
    entries = [
        {"fingerprint": "f", "namespace": "default", "task_id": row["id"], "created_at": 1.0, "pipeline_name": "p"}
        for row in rows
    ]
    await server.records.write(lambda c: c.execute(tasks.insert(), rows))
    await server.records.write(lambda c: c.execute(cache_entries.insert(), entries))
    found = await posted(server, "tasks:findCached", {"namespace": "default", "cache_fingerprint": "f"})
    assert found["task"]["task_id"] == "t1"
    assert await posted(server, "tasks:findCached", {"cache_fingerprint": "g"}) == {}
    assert (await server.call("POST", "tasks:findCached", {}))[0] == 400


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "name is missing"),
        ({"name": "x", "surprise": 1}, 'unknown field "surprise"'),
        ({"name": "x", "state": "HAPPY"}, "state is 'HAPPY', and must be one of"),
        ({"name": "x", "type": "HAPPY"}, "type is 'HAPPY', and must be one of"),
        ({"name": "x", "type": "ROOT"}, "the ROOT is the first task"),
        ({"name": "x", "parent_task_id": NOBODY}, "there is no task"),
        ({"name": "x", "create_time": "yesterday"}, "create_time must be a time"),
        ({"name": "x", "create_time": "9999-12-31T23:59:59-12:00"}, "create_time must be a time"),
        ({"name": "x", "end_time": "0001-01-01T00:00:00+12:00"}, "end_time must be a time"),
        ({"name": "x", "type_attributes": {"iteration_index": -1}}, "iteration_index must be a whole number"),
        ({"name": "x", "inputs": {"artifacts": [{}]}}, "use POST /apis/v2beta1/artifact_tasks"),
        ({"name": "x", "inputs": {"parameters": {}}}, None),
        ({"name": "x", "inputs": {"parameters": [{"value": 1}]}}, "parameter_key is missing"),
        ({"name": "x", "inputs": {"parameters": [{"parameter_key": "k", "type": "X"}]}}, "type is 'X'"),
        ({"name": "x", "inputs": {"parameters": "all"}}, "parameters must be a list"),
        ({"name": "x", "status_metadata": {"custom_properties": {"a": 1}}}, "custom_properties is not kept"),
        ([], "must be a JSON object"),
    ],
)
async def test_a_wrong_task_is_refused_with_a_sentence(server: Server, body: Any, sentence: str | None) -> None:
    run = await create(server, external=True)
    await report(server, run, name="root", type="ROOT")
    status, answer = await server.call("POST", f"runs/{run}/tasks", body)
    if sentence is None:
        assert status == 200
        return
    assert status in (400, 404, 501), answer
    assert sentence in answer["message"]
    assert (await server.get(f"runs/{run}/tasks"))["total_size"] == 1


@pytest.mark.parametrize(
    ("artifact", "sentence"),
    [
        ({"type": "Model"}, "name is missing"),
        ({"name": "m"}, "artifact.type is ''"),
        ({"name": "m", "type": "TYPE_UNSPECIFIED"}, "must be one of Artifact, Model"),
        ({"name": "m", "type": "Metric", "number_value": "high"}, "must be a finite number"),
        ({"name": "m", "type": "Model", "metadata": [1]}, "metadata must be an object"),
        ({"name": "m" * 256, "type": "Model"}, "longer than 255"),
    ],
)
async def test_a_wrong_artifact_is_refused_and_so_is_all_that_came_with_it(
    server: Server, artifact: Any, sentence: str
) -> None:
    run = await create(server, external=True)
    root = await report(server, run, name="root", type="ROOT")
    of_root = {"run_id": run, "task_id": root, "producer_key": "k"}
    good = {"artifact": {"name": "m", "type": "Model"}, **of_root}
    status, answer = await server.call(
        "POST", "artifacts:batchCreate", {"artifacts": [good, {"artifact": artifact, **of_root}]}
    )
    assert status == 400, answer
    assert sentence in answer["message"]
    assert await server.get("artifacts") == {}


async def test_a_record_of_somebody_else_gets_no_object_when_the_server_is_back(server: Server) -> None:
    run, other = await create(server, external=True), await create(server)
    async with server.starting_again():
        await server.client.wait(RUN, other, "default", lambda found: found is not None)
    assert await server.client.find(RUN, run, "default") is None
