"""What is close to SQL, once more with the records on PostgreSQL, where a server is installed."""

import pytest

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
from tests.records.conftest import postgresql_server, postgresql_url

__all__ = [
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
