"""The bounds of an automatic rollback, and what breaks them."""

from __future__ import annotations

import pytest

from fairway.serving.rollout import bounds
from fairway.serving.rollout.bounds import Counts

INF = float("inf")
PAGE = b"""# TYPE fairway_inference_requests_total counter
fairway_inference_requests_total{model_name="m",protocol="v1",code="200"} 90
fairway_inference_requests_total{model_name="m",protocol="v2",code="400"} 4
fairway_inference_requests_total{model_name="m",protocol="v1",code="500"} 6
fairway_request_seconds_bucket{model_name="m",le="0.1"} 80
fairway_request_seconds_bucket{model_name="m",le="0.5"} 98
fairway_request_seconds_bucket{model_name="m",le="+Inf"} 100
"""


def test_what_a_server_counts() -> None:
    assert bounds.counts(PAGE) == Counts(100, 6, {0.1: 80, 0.5: 98, INF: 100})


@pytest.mark.parametrize(
    ("text", "breaks"),
    [
        ("errors>5%", "6 of 100 requests failed (6%), and errors>5% was set"),
        ("errors>6%", ""),
        ("p99>500ms", "2% of 100 requests took longer, and p99>500ms was set"),
        ("p95>0.5s", ""),
        ("p50>100ms", ""),
        ("p95>50ms", "20% of 100 requests took longer, and p95>50ms was set"),
        ("p99>2s", ""),
        ("errors>50%, p90>100ms", "20% of 100 requests took longer, and p90>100ms was set"),
        ("", ""),
    ],
)
def test_what_breaks_a_bound(text: str, breaks: str) -> None:
    assert bounds.broken(bounds.read(text), bounds.counts(PAGE)) == breaks


def test_a_few_requests_prove_nothing() -> None:
    assert bounds.broken(bounds.read("errors>5%"), Counts(19, 19)) == ""


def test_only_what_is_new_counts_and_a_server_that_began_anew_counts_from_its_beginning() -> None:
    before = Counts(50, 5, {INF: 50.0})
    assert Counts(60, 6, {INF: 60.0}).since(before) == Counts(10, 1, {INF: 10})
    assert Counts(3, 1, {INF: 3.0}).since(before) == Counts(3, 1, {INF: 3})


@pytest.mark.parametrize("text", ["errors>5", "p42>1s", "latency>1s", "errors<5%"])
def test_what_is_no_bound_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a bound such as"):
        bounds.read(text)
