"""What the engine wrote, as the API gives it: tasks in both vocabularies, artifacts with their bytes, logs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection

from fairway.artifacts.store import Artifacts
from fairway.cluster.api.pods.podlogs import LogOptions
from fairway.kernel.objects.kinds import POD, Object
from fairway.pipelines.render import folders
from fairway.pipelines.sdk import Server as Sdk
from fairway.pipelines.tables import artifacts, runs, task_artifacts, tasks
from tests.pipelines.api.conftest import TOKEN, Server, hello


def task(id_: str, run: str, **values: Any) -> dict[str, Any]:
    defaults = {"parent_task_id": "", "type": "RUNTIME", "state": "SUCCEEDED", "created_at": 1.7e9, "name": id_}
    extra = {"scope_path": id_, "inputs": {}, "outputs": {}, "states": [], "pod_name": "", "iteration_index": None}
    more = {"cached_from": "", "error_code": 0, "error_message": "", "started_at": None, "finished_at": None}
    return {"id": id_, "run_id": run, **defaults, **extra, **more, **values}


@pytest.fixture
async def run(server: Server) -> AsyncIterator[str]:
    """A run with a loop of two iterations; the first made a model and a metric, the second was cached from it."""
    body = {"display_name": "r", "pipeline_spec": hello(), "runtime_config": {"parameters": {"text": "hi"}}}
    id_ = (await server.call("POST", "runs", body))[1]["run_id"]
    uri = server.artifacts.address("hello", id_, "train", "model")
    await server.artifacts.put(f"{uri}/weights.bin", b"0123456789")
    await server.artifacts.put(f"{uri}/config/a.json", b"{}")

    def write(connection: Connection) -> None:
        rows = [
            task("root", id_, type="ROOT", state="RUNNING", inputs={"text": "hi"}),
            task("loop", id_, type="LOOP", parent_task_id="root", created_at=1.7e9 + 1),
            task(
                "train-0", id_, name="train", parent_task_id="loop", iteration_index=0, created_at=1.7e9 + 2,
                started_at=1.7e9 + 3, finished_at=1.7e9 + 4, pod_name="train-pod", outputs={"score": 0, "ok": False},
                states=[{"state": "RUNNING", "at": 1.7e9 + 3}, {"state": "SUCCEEDED", "at": 1.7e9 + 4}],
            ),
            task(
                "train-1", id_, name="train", parent_task_id="loop", iteration_index=1, created_at=1.7e9 + 5,
                state="CACHED", cached_from="train-0",
            ),
            task(
                "bad", id_, parent_task_id="root", state="FAILED", created_at=1.7e9 + 6, error_code=13,
                error_message="exit code 1",
            ),
        ]  # fmt: skip
        connection.execute(tasks.insert(), rows)
        made = {"created_at": 1.7e9, "namespace": "default"}
        connection.execute(
            artifacts.insert(),
            [
                {"id": "m", "name": "model", "type": "system.Model", "uri": uri, "metadata": {"f": "x"}, **made},
                {"id": "s", "name": "auc", "type": "system.Metric", "uri": "", "metadata": {}, **made},
                {"id": "o", "name": "out", "type": "system.Dataset", "uri": "file:///etc", "metadata": {}, **made},
            ],
        )
        connection.execute(artifacts.update().where(artifacts.c.id == "s").values(number_value=0.0))
        links = [("train-0", True, "model", "m"), ("train-0", True, "auc", "s"), ("train-1", True, "model", "m")]
        links.append(("bad", False, "given", "m"))
        connection.execute(
            task_artifacts.insert(),
            [
                {
                    "task_id": of,
                    "output": output,
                    "key": key,
                    "position": 0,
                    "run_id": id_,
                    "artifact_id": artifact,
                    "type": "OUTPUT" if output else "TASK_OUTPUT_INPUT",
                    "producer_task_name": "" if output else "train",
                }
                for of, output, key, artifact in links
            ],
        )

    await server.records.write(write)
    yield id_


async def test_tasks_in_the_words_of_2(server: Server, run: str) -> None:
    details = {item["task_id"]: item for item in (await server.get(f"runs/{run}"))["run_details"]["task_details"]}
    assert list(details) == ["root", "loop", "train-0", "train-1", "bad"]
    assert details["train-1"]["state"] == "SUCCEEDED"
    assert details["train-0"]["outputs"] == {"model": {"artifact_ids": ["m"]}, "auc": {"artifact_ids": ["s"]}}
    assert details["bad"]["inputs"] == {"given": {"artifact_ids": ["m"]}}
    assert details["loop"]["child_tasks"] == [{"task_id": "train-0", "pod_name": "train-pod"}, {"task_id": "train-1"}]
    assert details["bad"]["error"] == {"code": 13, "message": "exit code 1", "details": []}
    assert details["train-0"]["end_time"] == "2023-11-14T22:13:24Z"


async def test_tasks_in_the_words_of_3(server: Server, run: str) -> None:
    first = await server.get(f"runs/{run}/tasks", page_size="3")
    rest = await server.get(f"runs/{run}/tasks", page_token=first["next_page_token"])
    found = {item["task_id"]: item for item in first["tasks"] + rest["tasks"]}
    assert list(found) == ["root", "loop", "train-0", "train-1", "bad"]
    assert found["train-1"]["state"] == "CACHED"
    assert found["train-1"]["cached_from_task_id"] == "train-0"
    assert found["train-0"]["type_attributes"] == {"iteration_index": "0"}
    made = {"type": "ITERATOR_OUTPUT", "producer": {"task_name": "train"}}
    assert found["train-0"]["outputs"]["parameters"] == [
        {"parameter_key": "score", "value": 0, **made},
        {"parameter_key": "ok", "value": False, **made},
    ]
    by_key = {item["artifact_key"]: item for item in found["train-0"]["outputs"]["artifacts"]}
    assert by_key["auc"]["artifacts"][0]["number_value"] == 0.0
    assert by_key["model"]["artifacts"][0]["metadata"] == {"f": "x"}
    assert by_key["model"]["artifacts"][0]["type"] == "Model"
    assert found["bad"]["inputs"]["artifacts"][0]["producer"] == {"task_name": "train"}
    assert (await server.get(f"runs/{run}/tasks", parent_id="loop"))["total_size"] == 2
    assert (await server.get(f"runs/{run}", view="FULL"))["tasks"][4] == await server.get(f"runs/{run}/tasks/bad")


async def test_artifacts_are_listed_and_linked(server: Server, run: str) -> None:
    models = '{"predicates":[{"operation":1,"key":"type","stringValue":"system.Model"}]}'
    found = await server.get("artifacts", filter=models)
    assert [item["artifact_id"] for item in found["artifacts"]] == ["m"]
    links = (await server.get("artifact_tasks", artifact_ids="m"))["artifact_tasks"]
    assert [(link["task_id"], link["type"]) for link in links] == [
        ("bad", "TASK_OUTPUT_INPUT"), ("train-0", "OUTPUT"), ("train-1", "OUTPUT"),
    ]  # fmt: skip
    assert len((await server.get("artifact_tasks", run_ids=run))["artifact_tasks"]) == 4
    assert (await server.call("GET", "artifact_tasks"))[0] == 400


async def test_bytes_are_a_download_in_ranges_and_never_from_elsewhere(server: Server, run: str) -> None:
    files = await server.get("artifacts/m:files")
    assert files["files"] == [{"path": "config/a.json", "size": 2}, {"path": "weights.bin", "size": 10}]
    url = f"{server.url}/apis/v2beta1/artifacts/m:content"

    async def read(headers: dict[str, str] | None = None, **query: str) -> tuple[int, bytes, Any]:
        async with server.session.get(url, params=query, headers=headers) as response:
            return response.status, await response.read(), response.headers

    status, content, headers = await read(path="weights.bin")
    assert (status, content) == (200, b"0123456789")
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert (await read(path="weights.bin", limit="4"))[:2] == (200, b"0123")
    status, content, headers = await read({"Range": "bytes=2-4"}, path="weights.bin")
    assert (status, content, headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    assert (await read({"Range": "bytes=10-"}, path="weights.bin"))[0] == 416
    assert (await read({"Range": f"bytes={'9' * 5000}-"}, path="weights.bin"))[0] == 400
    assert (await read())[0] == 404
    for path in ("../../secret", "config/../../x", "/etc/passwd"):
        assert (await read(path=path))[0] == 403
    assert (await server.call("GET", "artifacts/o:content"))[0] == 403
    assert (await server.call("GET", "artifacts/o:files"))[0] == 403


class Kept:
    """Who keeps the logs of this cluster: two pieces, the second when it is told."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def read(self, pod: Object, options: LogOptions) -> AsyncGenerator[bytes, None]:
        yield b"one\n"
        if options.follow:
            await self.go_on.wait()
            yield b"two\n"


async def test_a_log_is_followed_from_before_the_pod_until_its_end(server: Server, run: str) -> None:
    logs = Kept()
    server.api.reach_pods(logs)
    url = f"{server.url}/apis/v1alpha1/runs/{run}/nodes"
    await server.records.write(
        lambda c: c.execute(tasks.update().where(tasks.c.id == "train-0").values(state="PENDING"))
    )
    pod = {"nodeName": "here", "containers": [{"name": "main", "image": "busybox"}]}
    reading = asyncio.ensure_future(server.session.get(f"{url}/train-0/log?follow=true"))
    await server.client.create(POD, POD.new("train-pod", "default", spec=pod))
    running = {
        "name": "main",
        "ready": True,
        "restartCount": 0,
        "image": "busybox",
        "imageID": "",
        "state": {"running": {}},
    }
    await server.client.patch_status(POD, "train-pod", "default", {"phase": "Running", "containerStatuses": [running]})
    response = await reading
    assert await response.content.readline() == b"one\n"
    logs.go_on.set()
    assert await response.content.read() == b"two\n"
    async with server.session.get(f"{url}/train-pod/log") as response:
        assert await response.read() == b"one\n"
    async with server.session.get(f"{url}/train-1/log") as response:  # cached: the log of its origin
        assert await response.read() == b"one\n"
    assert (await server.call("GET", f"/apis/v1alpha1/runs/{run}/nodes/nobody/log"))[0] == 404


async def test_following_ends_when_the_reader_goes_away(server: Server, run: str) -> None:
    waiting = tasks.update().where(tasks.c.id == "train-0").values(state="PENDING")
    await server.records.write(lambda connection: connection.execute(waiting))
    url = f"{server.url}/apis/v2beta1/runs/{run}/nodes/train-0/log?follow=true"
    before = len(asyncio.all_tasks())
    reading = asyncio.ensure_future(server.session.get(url))
    while len(asyncio.all_tasks()) < before + 3:  # the request, its handler, the eye on the reader
        await asyncio.sleep(0.01)
    reading.cancel()
    async with asyncio.timeout(60):
        while len(asyncio.all_tasks()) > before + 1:  # the idle connection
            await asyncio.sleep(0.01)


async def test_a_log_that_went_with_its_pod_is_said_to_be_gone(server: Server, run: str) -> None:
    status, answer = await server.call("GET", f"runs/{run}/nodes/train-0/log")
    assert status == 404
    assert "the pod train-pod is gone" in answer["message"]


async def test_what_a_step_wrote_into_its_own_folder_is_no_more_than_that(
    server: Server, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log there may be larger than the memory, and what it was given be written over."""
    folder = server.artifacts.address("hello", run, "say", "train-0")
    where = {"folder": folder, "scope_path": "say"}
    await server.records.write(lambda c: c.execute(tasks.update().where(tasks.c.id == "train-0").values(**where)))
    await server.artifacts.put(f"{folder}/{folders.LOG}", b"x" * (1 << 20))
    await server.artifacts.put(f"{folder}/{folders.TASK}", b"{")
    for content in (b"{", b"[]", b"{}"):
        await server.artifacts.put(f"{folder}/{folders.TASK}", content)
        status, answer = await server.call("GET", f"runs/{run}/tasks/train-0:replay")
        assert (status, answer["code"]) == (400, 9)
        assert "written over" in answer["message"]
    monkeypatch.setattr(Artifacts, "get", None)
    async with server.session.get(f"{server.url}/apis/v1alpha1/runs/{run}/nodes/train-0/log") as response:
        assert (response.status, len(await response.read())) == (200, 1 << 20)


async def test_the_sdk_follows_a_run_to_its_end(server: Server, run: str) -> None:
    sdk = Sdk(server.url, TOKEN)
    seen = iter(sdk.follow(run, every=0.02))
    first = await asyncio.to_thread(next, seen)
    assert (first.state, len(first.steps)) == ("PENDING", 5)
    assert [step.iteration for step in first.steps if step.kind == "RUNTIME"] == [0, 1, None]
    await server.records.write(lambda c: c.execute(runs.update().values(state="FAILED", error_message="bad failed")))
    last = await asyncio.to_thread(lambda: list(seen)[-1])
    assert (last.state, last.message, last.over) == ("FAILED", "bad failed", True)
    made = await asyncio.to_thread(sdk.artifacts, run)
    assert {(item["name"], item["task"]) for item in made} == {("model", "train"), ("auc", "train")}


async def test_a_step_that_stopped_for_a_look_is_told_to_go_on(server: Server, run: str) -> None:
    folder = server.artifacts.address("hello", run, "bad", "folder")
    path = f"runs/{run}/tasks/bad:continue"
    status, answer = await server.call("POST", path)
    assert (status, answer["code"]) == (400, 9), answer
    assert "does not stand still" in answer["message"]

    def move(connection: Connection) -> None:
        connection.execute(tasks.update().where(tasks.c.id == "bad").values(folder=folder))

    await server.records.write(move)
    await server.artifacts.put(f"{folder}/stopped", b"before")
    assert await server.call("POST", path) == (200, {})
    assert await server.artifacts.find(f"{folder}/continue") is not None
    assert (await server.call("POST", f"runs/{run}/tasks/zzz:continue"))[0] == 404
