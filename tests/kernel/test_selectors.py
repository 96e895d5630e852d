"""Selectors read what kubectl and the clients write."""

import pytest

from fairway.kernel.objects import selectors
from fairway.kernel.objects.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "labels", "taken"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b,c!=d", {"a": "b", "c": "d"}, False),
        ("a in (x, y)", {"a": "y"}, True),
        ("a notin (x,y),b", {"b": ""}, True),
        ("!a", {"a": ""}, False),
        ("n>3", {"n": "4"}, True),
        ("n<3", {}, False),
        ("batch.kubernetes.io/job-name=x", {"batch.kubernetes.io/job-name": "x"}, True),
    ],
)
def test_label_selectors(text: str, labels: dict[str, str], taken: bool) -> None:
    assert selectors.labels(text)(labels) is taken


@pytest.mark.parametrize("text", ["a in x", "=b", "a=b=c", "a b", "a=(", "-a=b", "a=-b", "a in (b", "a in (b;c)"])
def test_what_cannot_be_read_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest):
        selectors.labels(text)


def test_what_cannot_be_read_is_seen_at_once() -> None:
    with pytest.raises(BadRequest):
        selectors.labels("a in (" + ",".join(["  "] * 40) + "! )")


def test_a_missing_label_selector_takes_nothing_and_an_empty_one_everything() -> None:
    assert not selectors.of(None)({})
    assert selectors.of({})({"a": "b"})
