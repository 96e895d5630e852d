"""What is close to SQL, once more with the records on PostgreSQL, where a server is installed."""

import pytest

from tests.pipelines.notices.test_api import test_what_was_told_is_listed
from tests.pipelines.notices.test_what_is_told import (
    test_a_failure_is_told_with_what_and_where,
    test_a_late_run_is_told_once,
    test_a_question_is_told_with_what_answers_it,
    test_looking_again_tells_nothing_again,
)

__all__ = [
    "test_a_failure_is_told_with_what_and_where",
    "test_a_late_run_is_told_once",
    "test_a_question_is_told_with_what_answers_it",
    "test_looking_again_tells_nothing_again",
    "test_what_was_told_is_listed",
]


@pytest.fixture
def records_url(postgresql_url: str) -> str:
    return postgresql_url
