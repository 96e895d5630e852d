"""What is asked of runs through the API: pause and resume, answers to questions of steps, pools. No engine here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection, select

from fairway.pipelines import approvals
from fairway.pipelines.kinds import RUN
from fairway.pipelines.tables import cache_entries, run_states, runs, tasks
from tests.pipelines.api.conftest import Server, hello


@pytest.fixture
async def run(server: Server) -> str:
    status, body = await server.call("POST", "runs", {"pipeline_spec": hello(), "runtime_config": GIVEN})
    assert status == 200, body
    return str(body["run_id"])


GIVEN = {"parameters": {"text": "hi"}}


async def spec(server: Server, run: str, **wanted: Any) -> None:
    """Wait until the Run object says so."""

    def says(found: Any) -> bool:
        return found is not None and all(found["spec"].get(key) == value for key, value in wanted.items())

    async with asyncio.timeout(60):
        await server.client.wait(RUN, run, "default", says)


async def write(server: Server, *statements: Any) -> None:
    await server.records.write(lambda connection: [connection.execute(each) for each in statements])


async def refused(server: Server, method: str, path: str, body: Any = None) -> tuple[int, str]:
    status, found = await server.call(method, path, body)
    assert status >= 400, found
    return status, found["message"]


async def test_a_run_pauses_at_once_and_goes_on(server: Server, run: str) -> None:
    await server.call("POST", f"runs/{run}:pause")
    assert (await server.get(f"runs/{run}"))["state"] == "PAUSED"
    await spec(server, run, paused=True, asked=1)
    assert await server.call("POST", f"runs/{run}:pause") == (200, {})
    await server.call("POST", f"runs/{run}:resume")
    found = await server.get(f"runs/{run}")
    assert [state["state"] for state in found["state_history"]] == ["PENDING", "PAUSED", "RUNNING"]
    await spec(server, run, paused=None, asked=2)


async def test_a_paused_run_can_be_terminated_and_what_is_over_cannot_be_paused(server: Server, run: str) -> None:
    await server.call("POST", f"runs/{run}:pause")
    assert await server.call("POST", f"runs/{run}:terminate") == (200, {})
    await spec(server, run, terminate=True)
    assert (await server.get(f"runs/{run}"))["state"] == "CANCELING"
    for verb in ("pause", "resume"):
        assert (await refused(server, "POST", f"runs/{run}:{verb}"))[0] == 400
    await write(server, runs.update().values(state="CANCELED"))
    assert "CANCELED" in (await refused(server, "POST", f"runs/{run}:pause"))[1]
    await server.call("POST", f"runs/{run}:retry")
    await spec(server, run, retries=1, paused=None)


async def test_unknown_runs_are_named(server: Server) -> None:
    for verb in ("pause", "resume", "terminate", "retry"):
        assert await refused(server, "POST", f"runs/nope:{verb}") == (404, 'there is no run "nope"')


@pytest.fixture
async def asked(server: Server, run: str) -> AsyncIterator[str]:
    """A run with two questions."""

    def ask(connection: Connection) -> None:
        for number, name in enumerate(("deploy", "delete")):
            row = {"id": f"{run}-{name}", "run_id": run, "name": name, "display_name": name, "type": "RUNTIME"}
            more = {
                "scope_path": f"loop[{number}]/{name}",
                "state": "PENDING",
                "created_at": 1.0 + number,
                "states": [],
            }
            connection.execute(tasks.insert().values(**row, **more))
            approvals.ask(connection, run, {f"{run}-{name}": f"{name}?"}, 10.0 + number)

    await server.records.write(ask)
    yield run


async def test_questions_are_listed_and_answered_once(server: Server, asked: str) -> None:
    found = await server.get("approvals", state="WAITING")
    assert [each["message"] for each in found["approvals"]] == ["deploy?", "delete?"]
    assert found["total_size"] == 2
    status, decided = await server.call("POST", f"runs/{asked}/tasks/{asked}-deploy:approve", {"comment": "go"})
    assert (status, decided["state"], decided["decided_by"], decided["comment"]) == (200, "APPROVED", "tester", "go")
    assert decided["scope_path"] == "loop[0]/deploy"
    await spec(server, asked, asked=1)
    status, decided = await server.call("POST", f"runs/{asked}/tasks/{asked}-delete:reject")
    assert (status, decided["state"]) == (200, "REJECTED")
    assert await server.get("approvals", state="waiting") == {}
    again = await refused(server, "POST", f"runs/{asked}/tasks/{asked}-deploy:reject")
    assert again == (400, "tester has approved this already")
    assert (await refused(server, "POST", f"runs/{asked}/tasks/other:approve"))[0] == 404
    assert len((await server.get(f"runs/{asked}/approvals"))["approvals"]) == 2
    assert (await refused(server, "GET", "approvals?state=MAYBE"))[0] == 400


async def test_questions_come_in_pages(server: Server, asked: str) -> None:
    first = await server.get("approvals", page_size="1")
    second = await server.get("approvals", page_size="1", page_token=first["next_page_token"])
    assert [page["approvals"][0]["message"] for page in (first, second)] == ["deploy?", "delete?"]


async def test_a_service_account_decides_in_its_own_namespace_only(server: Server, asked: str) -> None:
    path = f"runs/{asked}/tasks/{asked}-deploy:approve"
    server.act_as("system:serviceaccount:elsewhere:default")
    status, message = await refused(server, "POST", path)
    assert (status, "elsewhere only" in message) == (403, True)
    server.act_as("system:serviceaccount:default:default")
    assert (await server.call("POST", path))[0] == 200


async def test_a_service_account_makes_steps_run_in_its_own_namespace_only(server: Server, run: str) -> None:
    failed = runs.update().where(runs.c.id == run).values(state="FAILED")
    for verb in ("pause", "resume", "retry"):
        if verb == "retry":
            await server.records.write(lambda connection: connection.execute(failed))
        server.act_as("system:serviceaccount:elsewhere:default")
        status, message = await refused(server, "POST", f"runs/{run}:{verb}")
        assert (status, "elsewhere only" in message) == (403, True)
        server.act_as("system:serviceaccount:default:default")
        assert (await server.call("POST", f"runs/{run}:{verb}"))[0] == 200
    server.act_as("system:serviceaccount:elsewhere:default")
    assert (await server.call("POST", f"runs/{run}:terminate"))[0] == 200


async def test_a_run_that_is_over_asks_nothing_any_more(server: Server, asked: str) -> None:
    await server.records.write(lambda connection: approvals.withdraw(connection, asked))
    assert await server.get("approvals") == {}


async def test_pools_are_made_changed_and_deleted(server: Server) -> None:
    assert await server.get("pools") == {}
    status, made = await server.call("PUT", "pools/gpu", {"slots": 2, "description": "two cards"})
    assert (status, made["slots"], made["used"], made["waiting"]) == (200, 2, 0, 0)
    await server.call("PUT", "pools/gpu", {"slots": 0})
    assert (await server.get("pools/gpu"))["slots"] == 0
    assert [pool["name"] for pool in (await server.get("pools"))["pools"]] == ["gpu"]
    assert await server.call("DELETE", "pools/gpu") == (200, {})
    assert "make it with PUT" in (await refused(server, "GET", "pools/gpu"))[1]
    assert (await refused(server, "DELETE", "pools/gpu"))[0] == 404


@pytest.mark.parametrize("slots", [-1, 1.5, "2", True, None, 10**9])
async def test_a_pool_has_a_whole_number_of_slots(server: Server, slots: Any) -> None:
    assert (await refused(server, "PUT", "pools/gpu", {"slots": slots}))[0] == 400


async def test_a_pool_has_a_name_that_steps_can_say(server: Server) -> None:
    assert "is not a pool's name" in (await refused(server, "PUT", "pools/GPU_1", {"slots": 1}))[1]


async def test_a_change_of_a_pool_wakes_those_who_wait_for_it_and_nobody_else(server: Server, run: str) -> None:
    _, other = await server.call("POST", "runs", {"pipeline_spec": hello(), "runtime_config": GIVEN})
    for number, (of, slots, state) in enumerate([(run, 0, "PENDING"), (other["run_id"], 1, "RUNNING")]):
        row = {"id": f"t{number}", "run_id": of, "type": "RUNTIME", "state": state, "created_at": 1.0, "states": []}
        await write(server, tasks.insert().values(**row, pool="gpu", slots=slots))
    missing = await server.get("pools")
    assert missing["missing"] == [{"name": "gpu", "waiting": 1}]
    _, made = await server.call("PUT", "pools/gpu", {"slots": 1})
    assert (made["used"], made["waiting"]) == (1, 1)
    await spec(server, run, asked=1)
    query = select(runs.c.asked).where(runs.c.id == other["run_id"])
    assert await server.records.read(lambda connection: connection.execute(query).scalar()) == 0


async def test_a_service_account_changes_no_pools(server: Server) -> None:
    server.act_as("system:serviceaccount:default:default")
    assert (await refused(server, "PUT", "pools/gpu", {"slots": 1}))[0] == 403
    assert (await refused(server, "DELETE", "pools/gpu"))[0] == 403
    assert await server.get("pools") == {}


async def test_a_retry_forgets_when_the_run_would_have_expired(server: Server, run: str) -> None:
    await write(server, runs.update().values(state="FAILED", expires_at=5.0, paused=True), run_states.delete())
    await server.call("POST", f"runs/{run}:retry")
    row = await server.records.read(lambda connection: connection.execute(select(runs)).mappings().one())
    assert (row["state"], row["expires_at"], row["paused"], row["retries"]) == ("RUNNING", 0.0, False, 1)


async def test_what_was_cached_is_forgotten_by_pipeline_and_by_namespace(server: Server, run: str) -> None:
    row = {"id": "t", "run_id": run, "type": "RUNTIME", "state": "SUCCEEDED", "created_at": 1.0, "states": []}
    await write(server, tasks.insert().values(**row))
    for pipeline, namespace in (("a", "default"), ("b", "default"), ("b", "other"), ("c", "other")):
        entry = {"fingerprint": "f", "pipeline_name": pipeline, "namespace": namespace, "task_id": "t"}
        await write(server, cache_entries.insert().values(**entry, created_at=1.0))
    assert await server.call("DELETE", "cache", namespace="defualt") == (200, {"deleted": 0})
    assert await server.call("DELETE", "cache", pipeline_name="b", namespace="default") == (200, {"deleted": 1})
    assert await server.call("DELETE", "cache", pipeline_name="a") == (200, {"deleted": 1})
    server.act_as("system:serviceaccount:default:default")
    assert (await refused(server, "DELETE", "cache"))[0] == 403
    assert (await refused(server, "DELETE", "cache?namespace=other"))[0] == 403
    assert await server.call("DELETE", "cache", namespace="default") == (200, {"deleted": 0})
    del server.session.headers["X-User"]
    assert await server.call("DELETE", "cache") == (200, {"deleted": 2})
