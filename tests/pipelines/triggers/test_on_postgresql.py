"""What is close to SQL, once more with the records on PostgreSQL, where a server is installed."""

import pytest

from tests.pipelines.triggers.test_after_runs import (
    test_a_success_starts_a_run_that_knows_of_what,
    test_more_than_fit_wait_in_their_order_and_none_is_lost,
    test_triggers_that_start_each_other_go_round_once,
)
from tests.pipelines.triggers.test_api import (
    test_deleting_a_trigger_leaves_its_runs,
    test_lists_have_pages_an_order_and_filters,
)
from tests.pipelines.triggers.test_artifacts import (
    test_an_artifact_starts_a_run_as_soon_as_it_is_made,
    test_an_artifact_that_comes_to_light_late_counts_at_the_end_of_its_run,
    test_it_is_the_maker_that_an_artifact_is_told_of,
)
from tests.pipelines.triggers.test_webhooks import test_a_key_makes_a_repeated_call_count_once

__all__ = [
    "test_a_key_makes_a_repeated_call_count_once",
    "test_a_success_starts_a_run_that_knows_of_what",
    "test_an_artifact_starts_a_run_as_soon_as_it_is_made",
    "test_an_artifact_that_comes_to_light_late_counts_at_the_end_of_its_run",
    "test_deleting_a_trigger_leaves_its_runs",
    "test_it_is_the_maker_that_an_artifact_is_told_of",
    "test_lists_have_pages_an_order_and_filters",
    "test_more_than_fit_wait_in_their_order_and_none_is_lost",
    "test_triggers_that_start_each_other_go_round_once",
]


@pytest.fixture
def records_url(postgresql_url: str) -> str:
    return postgresql_url
