"""Upstream's compiled pipelines, through the unmodified `kfp.Client` against `fairway up`: those that need no network.

One platform runs them all, several side by side, before the first test looks. README.md tells of the whole judge.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.kfp_corpus import corpus, places
from tests.clients.kfp_corpus.cases import Case, Verdict
from tests.clients.kfp_corpus.judging import Judge

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:This client only works:FutureWarning"),
]

AT_ONCE = 4


def _offline() -> list[Case]:
    return [case for case in corpus.cases(places.corpus()) if not case.expected.online]


@pytest.fixture(scope="module")
def verdicts() -> Iterator[dict[str, Verdict]]:
    with places.platform() as server:
        yield {verdict.case.name: verdict for verdict in Judge(server).all(_offline(), AT_ONCE, lambda verdict: None)}


@pytest.mark.skipif(not places.corpus().exists(), reason=f"upstream's compiled pipelines are not at {places.corpus()}")
@pytest.mark.parametrize("name", [case.name for case in _offline()] or ["none"])
def test_a_pipeline_does_what_it_must(name: str, verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts[name]
    assert verdict.as_expected, f"{verdict.got}: {verdict.reason}"
