"""Lists of a long history: read along indexes, first pages and deep ones, whatever they are sorted and filtered by."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from bench import history
from sqlalchemy import Connection, Engine, event, insert

from fairway.pipelines.api import artifacts, runs
from fairway.pipelines.tables import run_metrics
from tests.pipelines.api.conftest import Server
from tests.records.conftest import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]

RUNS = 120
SORTS = [f"{key} {way}" for key in [*runs.LISTED.keys, "metric:score", "metric:NOBODY"] for way in ("asc", "desc")]


@pytest.fixture(params=["sqlite", "postgresql"])
def records_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
async def past(server: Server) -> AsyncIterator[history.History]:
    def write(connection: Connection) -> history.History:
        written = history.write(connection, RUNS, 1)
        scores = [{"run_id": id_, "name": "score", "value": number % 7} for number, id_ in enumerate(written.ids[::2])]
        connection.execute(insert(run_metrics), scores)
        return written

    yield await server.records.write(write)


def where(*predicates: tuple[str, str, str]) -> str:
    return json.dumps(
        {"predicates": [{"key": key, "operation": how, "string_value": value} for key, how, value in predicates]}
    )


async def pages(server: Server, path: str, **query: str) -> list[dict[str, Any]]:
    """All of a list, page by page, each of which tells the same total."""
    found: list[dict[str, Any]] = []
    page = await server.get(path, **query)
    total = page.get("total_size", 0)
    while True:
        found += page.get(path, [])
        assert page.get("total_size", 0) == total
        token = page.get("next_page_token")
        if not token:
            assert len(found) == total
            return found
        page = await server.get(path, page_token=token, page_size=query.get("page_size", ""))


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """What is sent to a database meanwhile."""
    sent: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", keep)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", keep)


async def plans(server: Server, path: str, **query: str) -> dict[str, list[str]]:
    """For each statement by which the rows of a page are found or counted, the steps of its plan. SQLite's."""
    with statements() as sent:
        await server.get(path, **query)
    reads = [(text, parameters) for text, parameters in sent if f"FROM {path}" in text or "FROM run_metrics" in text]
    assert reads

    def explain(connection: Connection) -> dict[str, list[str]]:
        return {
            statement: [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            for statement, parameters in reads
        }

    return await server.records.read(explain)


async def test_each_page_of_each_order_is_found_along_an_index(
    server: Server, past: history.History, records_url: str
) -> None:
    if records_url.startswith("postgresql"):
        pytest.skip("PostgreSQL's plans depend on how much there is; bench/lists.py measures them")
    by_artifact = [("artifacts", key) for key in artifacts.LISTED.keys]
    for path, sort in [*(("runs", sort) for sort in SORTS), *by_artifact]:
        token = (await server.get(path, sort_by=sort))["next_page_token"]
        for query in ({"sort_by": sort}, {"page_token": token}):
            for statement, steps in (await plans(server, path, **query)).items():
                assert not [step for step in steps if "USE TEMP B-TREE FOR ORDER BY" in step], (statement, steps)
                assert not [step for step in steps if step == f"SCAN {path}"], (statement, steps)


async def test_a_name_is_looked_for_in_an_index_and_not_in_the_rows(
    server: Server, past: history.History, records_url: str
) -> None:
    by_name = where(("name", "IS_SUBSTRING", "nothing"))
    available = where(("name", "IS_SUBSTRING", "nothing"), ("storage_state", "EQUALS", "AVAILABLE"))
    for query in (
        {"filter": by_name},
        {"filter": by_name, "sort_by": "created_at desc"},
        {"filter": by_name, "sort_by": "finished_at desc"},
        {"filter": available},
        {"filter": available, "experiment_id": past.experiments[0]},
    ):
        assert await server.get("runs", **query) == {}
        if records_url.startswith("sqlite"):
            for statement, steps in (await plans(server, "runs", **query)).items():
                assert all("COVERING INDEX" in step for step in steps), (statement, steps)


async def test_pages_of_each_order_hold_each_run_once(server: Server, past: history.History) -> None:
    for sort in SORTS:
        found = await pages(server, "runs", sort_by=sort, page_size="50")
        assert sorted(run["run_id"] for run in found) == sorted(past.ids), sort
        key, way = sort.split()
        field = {"id": "run_id", "name": "display_name", "status": "state"}.get(key, key)
        if field in found[0]:
            values = [run.get(field, "") for run in found]
            assert values == sorted(values, reverse=way == "desc"), sort
    for key in artifacts.LISTED.keys:
        assert len(await pages(server, "artifacts", sort_by=key, page_size="200")) == 2 * RUNS


async def test_runs_by_a_metric_come_in_its_order_and_those_without_last(server: Server, past: history.History) -> None:
    scores = {id_: number % 7 for number, id_ in enumerate(past.ids[::2])}
    for way, reverse in (("asc", False), ("desc", True)):
        found = [run["run_id"] for run in await pages(server, "runs", sort_by=f"metric:score {way}", page_size="25")]
        told, others = found[: len(scores)], found[len(scores) :]
        assert [scores[id_] for id_ in told] == sorted(scores.values(), reverse=reverse)
        assert others == sorted(others, reverse=reverse)
        assert not scores.keys() & set(others)
    archived = where(("storage_state", "EQUALS", "ARCHIVED"))
    some = await pages(server, "runs", sort_by="metric:score desc", filter=archived, page_size="7")
    assert {run["storage_state"] for run in some} == {"ARCHIVED"}
    assert len(some) == RUNS // 10
    for wrong in ("metric:", "metric:auc sideways", "metric:" + "x" * 256):
        assert (await server.call("GET", "runs", sort_by=wrong))[0] == 400
    assert (await server.call("GET", "experiments", sort_by="metric:auc"))[0] == 400


async def test_filters_meet_what_they_name_and_count_it(server: Server, past: history.History) -> None:
    everything = await pages(server, "runs", page_size="200")
    for filter_, holds in (
        (where(("state", "EQUALS", "failed")), lambda run: run["state"] == "FAILED"),
        (where(("name", "IS_SUBSTRING", "TAXI")), lambda run: "taxi" in run["display_name"]),
        (where(("name", "IS_SUBSTRING", "taxi"), ("state", "NOT_EQUALS", "SUCCEEDED")),
         lambda run: "taxi" in run["display_name"] and run["state"] != "SUCCEEDED"),
        (where(("created_at", "GREATER_THAN", everything[30]["created_at"]),
               ("created_at", "LESS_THAN_EQUALS", everything[60]["created_at"])),
         lambda run: everything[30]["created_at"] < run["created_at"] <= everything[60]["created_at"]),
        (where(("experiment_id", "EQUALS", past.experiments[0])),
         lambda run: run["experiment_id"] == past.experiments[0]),
    ):  # fmt: skip
        found = await pages(server, "runs", filter=filter_, page_size="30")
        assert [run["run_id"] for run in found] == [run["run_id"] for run in everything if holds(run)], filter_


@pytest.mark.parametrize(
    "token",
    [
        {"key": "created_at", "desc": False, "filter": "", "after": ["x", "id"]},
        {"key": "created_at", "desc": False, "filter": "", "after": [1.0]},
        {"key": "state", "desc": False, "filter": "", "after": ["A", 1.0, "a\0b"]},
        {"key": "spec_digest", "desc": False, "filter": "", "after": ["x", "id"]},
        {"key": "metric:auc", "desc": False, "filter": "", "after": [2, 1.0, "id"]},
        {"key": "created_at", "desc": False, "filter": "{", "after": [1.0, "id"]},
        {"key": "created_at"},
        [],
    ],
)
async def test_a_page_token_that_nobody_gave_is_refused(server: Server, token: Any) -> None:
    text = base64.urlsafe_b64encode(json.dumps(token).encode()).decode()
    status, refusal = await server.call("GET", "runs", page_token=text)
    assert (status, refusal["code"]) == (400, 3)
