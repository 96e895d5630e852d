"""How the API speaks: errors with numbers and sentences, unset fields left out, nobody let in without a name."""

import asyncio
import base64
import json
import threading
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from yarl import URL

from fairway.kernel.clock import FakeClock
from fairway.kernel.objects.kinds import NAMESPACE
from fairway.pipelines.api import listing, messages
from fairway.pipelines.api.starting import Starting
from fairway.pipelines.kinds import RUN
from fairway.pipelines.schedules.tables import recurring_runs
from fairway.pipelines.tables import runs
from tests.pipelines.api.conftest import Server, hello


def run_of(text: Any = "hi", **changes: Any) -> dict[str, Any]:
    return {
        "display_name": "a run",
        "pipeline_spec": hello(),
        "runtime_config": {"parameters": {"text": text}},
        **changes,
    }


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (run_of(surprise=1), 'unknown field "surprise" in the body; the fields of Run are created_at, description'),
        (run_of(runtime_config={"parameters": {}, "colour": 1}), 'unknown field "colour"'),
        (run_of(runtime_config={}), "needs a value for text"),
        (run_of(runtime_config={"parameters": {"text": "hi", "txet": 1}}), "no parameter txet; it has text, times"),
        (run_of(runtime_config={"parameters": {"text": "hi", "times": "3"}}), "times: expected an integer"),
        (run_of("good day"), "must be one of 'hi', 'bye'"),
        (run_of(pipeline_spec=hello(schemaVersion="2.0.0")), "schemaVersion"),
        (run_of(pipeline_spec=hello("Not A Name")), "pipelineInfo.name"),
        (run_of(pipeline_spec="text"), "must be a JSON object"),
        (run_of(pipeline_version_reference={"pipeline_id": "x"}), "not both"),
        ({"display_name": "nothing to run"}, "needs a pipeline_spec"),
        (run_of(display_name="x" * 256), "longer than 255"),
        (run_of(service_account="No Name"), "service account"),
        (
            run_of(runtime_config={"parameters": {"text": "hi"}, "pipeline_root": "ftp://x"}),
            "pipeline_root: ftp://x is not kept",
        ),
    ],
)
async def test_a_wrong_run_is_refused_at_once_with_a_sentence(server: Server, body: Any, sentence: str) -> None:
    status, answer = await server.call("POST", "runs", body)
    assert status == 400, answer
    assert sentence in answer["message"]
    assert answer["error"] == answer["message"]
    assert await server.get("runs") == {}


async def test_what_is_not_there_is_404_with_grpcs_number(server: Server) -> None:
    for path in ("runs/x", "experiments/x", "pipelines/x", "pipelines/names/x", "artifacts/x", "runs/x/tasks"):
        status, answer = await server.call("GET", path)
        assert (status, answer["code"]) == (404, 5), path
        assert answer["message"].startswith("there is no")
    status, answer = await server.call(
        "POST", "runs", run_of(pipeline_spec=None, pipeline_version_reference={"pipelineId": "x"})
    )
    assert (status, answer["code"]) == (404, 5)


async def test_only_health_is_public(server: Server) -> None:
    async with aiohttp.ClientSession() as stranger:
        async with stranger.get(f"{server.url}/apis/v2beta1/healthz") as response:
            assert response.status == 200
            assert (await response.json())["multi_user"] is False
        for method, path in [
            ("GET", "runs"), ("POST", "runs"), ("POST", "pipelines/upload"), ("DELETE", "runs/x"),
            ("GET", "artifacts/x:content"), ("GET", "recurringruns"), ("GET", "anything/else"),
        ]:  # fmt: skip
            async with stranger.request(method, f"{server.url}/apis/v2beta1/{path}") as response:
                assert response.status == 401, path
                assert (await response.json())["code"] == 16


async def test_what_we_do_not_have_is_refused_by_name(server: Server) -> None:
    for method, path, sentence in [
        ("GET", "/apis/v1beta1/runs", "v1beta1 API is not supported"),
    ]:
        status, answer = await server.call(method, path)
        assert (status, answer["code"]) == (501, 12)
        assert sentence in answer["message"]
    status, answer = await server.call("POST", "runs", run_of(plugins_input={"mlflow": {}}))
    assert status == 501
    status, answer = await server.call("GET", "nothing/like/it")
    assert status == 404


def token(key: str, *after: Any) -> str:
    """A page token as it is ours, with a position that a database cannot compare anything with."""
    kept = {"key": key, "desc": False, "filter": "", "after": after}
    return base64.urlsafe_b64encode(json.dumps(kept).encode()).decode()


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"page_token": token("metric:accuracy", 0, 2**64 - 1, "x")}, "page_token"),
        ({"page_token": token("metric:accuracy", 0, 1, "x\0")}, "page_token"),
        ({"page_token": token("created_at", True, "x")}, "page_token"),
        ({"page_token": token("created_at", 2**64 - 1, "x")}, "page_token"),
        ({"experiment_id": "x\0"}, "NUL"),
        ({"page_size": "-1"}, "must not be negative"),
        ({"page_size": "many"}, "whole number"),
        ({"sort_by": "colour"}, "cannot sort by 'colour'"),
        ({"sort_by": "created_at sideways"}, "sort_by must be"),
        ({"page_token": "rubbish"}, "page_token"),
        ({"filter": "{"}, "not JSON"),
        ({"filter": '{"predicates":[{"operation":4,"key":"name","stringValue":"x"}]}'}, "unknown filter operation"),
        ({"filter": '{"predicates":[{"operation":1,"key":"colour","stringValue":"x"}]}'}, "cannot filter by"),
        ({"filter": '{"predicates":[{"operation":1,"key":"name"}]}'}, "exactly one value"),
        ({"filter": '{"predicates":[{"operation":8,"key":"name","stringValue":"x"}]}'}, "IN takes a list"),
        ({"filter": '{"predicates":[{"operation":1,"key":"name","colour":"x"}]}'}, "unknown field 'colour'"),
        ({"filter": '{"predicates":[{"operation":3,"key":"created_at","stringValue":"x"}]}'}, "timestampValue"),
    ],
)
async def test_a_wrong_list_is_refused_with_a_sentence(server: Server, query: dict[str, str], sentence: str) -> None:
    status, answer = await server.call("GET", "runs", **query)
    assert (status, answer["code"]) == (400, 3)
    assert sentence in answer["message"]


async def test_no_address_holds_what_the_records_cannot(server: Server) -> None:
    for path in ("runs/%00", "pipelines/names/%00", "pools/%00", "runs/%00/nodes/x/log"):
        async with server.session.get(URL(f"{server.url}/apis/v2beta1/{path}", encoded=True)) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, 3)


async def test_a_large_request_is_read_beside_everything_else(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    monkeypatch.setattr(messages, "bounded", lambda *_: threads.append(threading.current_thread()))
    for length in (1, 1 << 19):
        await server.call("POST", "experiments", {"display_name": "e", "description": "x" * length})
    assert [thread is threading.main_thread() for thread in threads] == [True, False]


async def test_numbers_beyond_64_bits_are_kept_as_what_they_are_upstream(server: Server) -> None:
    for times, kept in ((1e308, 1e308), (2**64 - 1, 1.8446744073709552e19), (-3.0, -3)):
        config = {"parameters": {"text": "hi", "times": times}}
        status, run = await server.call("POST", "runs", run_of(runtime_config=config))
        assert status == 200, run
        assert (await server.get(f"runs/{run['run_id']}"))["runtime_config"]["parameters"]["times"] == kept


async def test_filters_of_all_operations(server: Server) -> None:
    names = ["alpha", "beta", "gam%ma"]
    for name in names:
        assert (await server.call("POST", "runs", run_of(display_name=name)))[0] == 200

    async def found(operation: Any, key: str, **value: Any) -> list[str]:
        filter_ = json.dumps({"predicates": [{"operation": operation, "key": key, **value}]})
        return [run["display_name"] for run in (await server.get("runs", filter=filter_)).get("runs", [])]

    assert await found("EQUALS", "display_name", string_value="beta") == ["beta"]
    assert await found(2, "name", stringValue="beta") == ["alpha", "gam%ma"]
    assert await found("IN", "name", stringValues={"values": ["alpha", "gam%ma"]}) == ["alpha", "gam%ma"]
    assert await found("IS_SUBSTRING", "name", stringValue="M%M") == ["gam%ma"]
    assert await found("IS_SUBSTRING", "name", stringValue="%") == ["gam%ma"]
    assert await found("EQUALS", "state", stringValue="pending") == names
    assert await found("GREATER_THAN", "created_at", timestampValue="2020-01-01T00:00:00Z") == names
    assert await found("LESS_THAN_EQUALS", "created_at", timestampValue="2020-01-01T00:00:00Z") == []


async def test_a_page_token_carries_its_order_and_filter(server: Server) -> None:
    for number in range(3):
        await server.call("POST", "runs", run_of(display_name=f"run {number}"))
    first = await server.get("runs", page_size="1", sort_by="name desc")
    token = first["next_page_token"]
    second = await server.get("runs", page_size="1", page_token=token)
    assert [run["display_name"] for run in second["runs"]] == ["run 1"]
    status, answer = await server.call("GET", "runs", page_token=token, sort_by="created_at")
    assert status == 400
    assert "differs" in answer["message"]
    status, answer = await server.call("GET", "runs", page_token=token, filter='{"predicates":[]}')
    assert status == 400
    assert "differs" in answer["message"]


async def test_a_page_has_no_more_than_memory_bears(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(json.dumps(hello()))
    monkeypatch.setattr(listing, "LARGEST_ANSWER", 2 * size)
    for number in range(5):
        assert (await server.call("POST", "runs", run_of(display_name=f"run {number}")))[0] == 200
    for path in ("runs", "pipelines/{}/versions"):
        if path != "runs":
            first = {"pipeline": {"name": "p"}, "pipeline_version": {"name": "0", "pipeline_spec": hello()}}
            pipeline = (await server.call("POST", "pipelines/create", first))[1]["pipeline_id"]
            path = path.format(pipeline)
            for name in "1234":
                await server.call("POST", path, {"name": name, "pipeline_spec": hello()})
        seen: list[dict[str, Any]] = []
        token, sizes = "", []
        while True:
            page = await server.get(path, page_token=token)
            found = page["runs" if path == "runs" else "pipeline_versions"]
            assert page["total_size"] == 5
            seen, sizes, token = [*seen, *found], [*sizes, len(found)], page.get("next_page_token", "")
            if not token:
                break
        assert max(sizes) <= 2
        assert len({json.dumps(each) for each in seen}) == len(seen) == 5
        assert all(each["pipeline_spec"] == hello() for each in seen)
    monkeypatch.setattr(listing, "LARGEST_ANSWER", 1)
    assert len((await server.get("runs"))["runs"]) == 1


async def test_a_record_without_its_object_gets_one_when_the_server_is_back(server: Server) -> None:
    """What a kill between the two leaves behind."""
    created = (await server.call("POST", "runs", run_of()))[1]
    await server.client.wait(RUN, created["run_id"], "default", lambda found: found is not None)
    await server.client.delete(RUN, created["run_id"], "default")
    async with server.starting_again():
        again = await server.client.wait(RUN, created["run_id"], "default", lambda found: found is not None)
    assert again is not None
    assert again["spec"]["runId"] == created["run_id"]


async def test_a_run_that_cannot_be_started_holds_up_no_other(server: Server) -> None:
    """Its namespace is being deleted, say. The clock stands still: nothing here waits for a time."""
    stuck, other = [(await server.call("POST", "runs", run_of()))[1]["run_id"] for _ in range(2)]
    for run in (stuck, other):
        await server.client.wait(RUN, run, "default", lambda found: found is not None)

    async def write(run: str, **values: Any) -> None:
        change = runs.update().where(runs.c.id == run).values(**values)
        await server.records.write(lambda connection: connection.execute(change))

    ending = {"metadata": {"finalizers": ["fairway.dev/test"]}}
    await server.client.create(NAMESPACE, NAMESPACE.new("ending", **ending))
    await server.client.delete(NAMESPACE, "ending")
    await write(stuck, object_namespace="ending")
    wake = asyncio.Event()
    starting = Starting(replace(server.context, clock=FakeClock(), wake=wake))
    loop = asyncio.ensure_future(starting.run(lambda: None))
    try:
        for asked in (1, 2):
            await write(other, asked=asked)
            wake.set()
            await server.client.wait(RUN, other, "default", lambda found, n=asked: found["spec"].get("asked") == n)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
    assert (await server.get(f"runs/{stuck}"))["state"] == "PENDING"


async def test_a_run_whose_namespace_went_while_nobody_looked_is_over(server: Server) -> None:
    run = (await server.call("POST", "runs", run_of()))[1]["run_id"]
    await server.client.wait(RUN, run, "default", lambda found: found is not None)
    nightly = {"trigger": {"cron_schedule": {"cron": "0 0 3 * * *"}}, "mode": "ENABLE"}
    schedule = (await server.call("POST", "recurringruns", run_of(**nightly)))[1]["recurring_run_id"]
    gone = (runs.update().values(object_namespace="gone"), recurring_runs.update().values(namespace="gone"))
    await server.records.write(lambda connection: [connection.execute(each) for each in gone])
    async with server.starting_again(), asyncio.timeout(60):
        while (found := await server.get(f"runs/{run}"))["state"] == "PENDING":
            await asyncio.sleep(0.02)
    assert (found["state"], found["error"]["message"]) == ("CANCELED", "the namespace gone is gone")
    stopped = await server.get(f"recurringruns/{schedule}")
    assert (stopped["status"], stopped["error"]["message"]) == ("DISABLED", "the namespace gone is gone")


async def test_an_artifact_that_is_not_there_cannot_be_given_to_a_run(server: Server) -> None:
    document = hello()
    slot = {"artifactType": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}}
    document["root"]["inputDefinitions"]["artifacts"] = {"model": slot}
    for value, sentence in (
        (None, "needs a value for model"),
        (3, "model is an artifact, and 3 does not say which"),
        ("no-such-id", "model: there is no artifact 'no-such-id' in the namespace of the run"),
    ):
        parameters = {"text": "hi", "model": value}
        status, answer = await server.call(
            "POST", "runs", run_of(pipeline_spec=document, runtime_config={"parameters": parameters})
        )
        assert status == 400, answer
        assert sentence in answer["message"]
    given = {"text": "hi", "model": {"uri": "file:///models/1", "metadata": {"framework": "sklearn"}}}
    body = run_of(pipeline_spec=document, runtime_config={"parameters": given})
    status, made = await server.call("POST", "runs", body)
    assert status == 200, made
    assert made["runtime_config"]["parameters"] == given
