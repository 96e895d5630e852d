"""Clients' own end-to-end tests, where checkouts are: each passes, or fails for a reason that is written down."""

from __future__ import annotations

import pytest

from tests.clients import upstream_suites
from tests.clients.house import House
from tests.clients.upstream_suites import SUITES, Suite


@pytest.mark.e2e
@pytest.mark.timeout(900)
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_what_does_not_pass_has_a_reason(suite: Suite, shared_house: House) -> None:
    if suite.checkout is None:
        pytest.skip(f"{suite.variable} names no checkout of {suite.repository}")
    outcome = upstream_suites.run(suite, shared_house.kubeconfig)
    assert outcome.passed
    assert [name for name, why in outcome.failed.items() if not why] == []
