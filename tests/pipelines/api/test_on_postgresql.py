"""What is close to SQL, once more with the records on PostgreSQL, where a server is installed."""

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from fairway.kernel.client.client import Client
from fairway.pipelines import tasks
from fairway.pipelines.settings import PipelinesSettings
from fairway.records.database import Database
from tests.pipelines.api.test_conventions import (
    test_a_page_token_carries_its_order_and_filter,
    test_filters_of_all_operations,
)
from tests.pipelines.api.test_reporting import (
    test_a_run_that_somebody_else_plays_follows_its_root,
    test_artifacts_are_registered_linked_and_used_again,
    test_links_are_listed_page_by_page,
)
from tests.pipelines.api.test_tasks_and_artifacts import (
    run,
    test_artifacts_are_listed_and_linked,
    test_tasks_in_the_words_of_2,
    test_tasks_in_the_words_of_3,
)
from tests.pipelines.api.test_uploads import test_an_upload_over_http
from tests.pipelines.api.test_upstreams_api_tests import (
    test_keys_of_filters,
    test_lists_are_sorted_by_each_key_in_both_directions_and_paged,
    test_names_of_pipelines,
    test_tags_are_replaced_cleared_and_left,
)
from tests.pipelines.world import client, world_at
from tests.records.conftest import postgresql_server, postgresql_url

__all__ = [
    "client",
    "postgresql_server",
    "postgresql_url",
    "run",
    "test_a_page_token_carries_its_order_and_filter",
    "test_a_run_that_somebody_else_plays_follows_its_root",
    "test_an_upload_over_http",
    "test_artifacts_are_listed_and_linked",
    "test_artifacts_are_registered_linked_and_used_again",
    "test_filters_of_all_operations",
    "test_keys_of_filters",
    "test_links_are_listed_page_by_page",
    "test_lists_are_sorted_by_each_key_in_both_directions_and_paged",
    "test_names_of_pipelines",
    "test_tags_are_replaced_cleared_and_left",
    "test_tasks_in_the_words_of_2",
    "test_tasks_in_the_words_of_3",
]


@pytest.fixture
def records_url(postgresql_url: str) -> str:
    return postgresql_url


async def test_an_end_that_another_server_writes_while_it_is_asked_for_stays(
    client: Client,
    tmp_path: Path,
    records_url: str,
) -> None:
    """Nobody would end a run a second time: it would be about to end for ever."""
    writing, go = threading.Event(), threading.Event()
    async with world_at(records_url, client, tmp_path / "artifacts", PipelinesSettings()) as world:
        other = await asyncio.to_thread(Database.open, records_url)
        id_ = await world.run()

        def finish(connection: Connection) -> None:
            tasks.finish(connection, id_, "SUCCEEDED", 1.0, message="", results={})
            writing.set()
            assert go.wait(60)

        try:
            ending = asyncio.ensure_future(other.write(finish))
            assert await asyncio.to_thread(writing.wait, 60)
            asking = asyncio.ensure_future(world.call("POST", f"runs/{id_}:terminate"))
            waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            async with asyncio.timeout(60):
                while not await world.context.records.read(lambda c: c.execute(waits).scalar_one()):
                    await asyncio.sleep(0.02)
            go.set()
            await asyncio.gather(ending, asking)
        finally:
            go.set()
            await other.close()
        assert (await world.call("GET", f"runs/{id_}"))["state"] == "SUCCEEDED"
