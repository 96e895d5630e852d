"""The largest wish of the last minutes. The sequences are those of Knative's own tests."""

from __future__ import annotations

import pytest

from fairway.serving.scaling.peaks import Peaks

_LONG = (5, 8, 5, 7, 5, 5, 1, 4, 4, 4, 4, 9, 3, 4, 2, 1, 0)
_LARGEST = (5, 8, 8, 8, 8, 8, 7, 7, 5, 5, 4, 9, 9, 9, 9, 9, 4)


@pytest.mark.parametrize(
    ("values", "largest"),
    [
        ((1,), (1,)),
        ((1, 2), (1, 2)),
        ((2, 1), (2, 2)),
        ((1, 2, 1), (1, 2, 2)),
        ((5, 6, 5, 5, 5, 5, 5), (5, 6, 6, 6, 6, 6, 5)),
        ((5, 6, 5, 7, 5, 5, 1), (5, 6, 6, 7, 7, 7, 7)),
        *((_LONG[:end], _LARGEST[:end]) for end in (6, 7, 10, 11, 12, 17)),
    ],
)
def test_each_value_counts_for_five_seconds(values: tuple[int, ...], largest: tuple[int, ...]) -> None:
    peaks = Peaks(5, granularity=1)
    seen = []
    for second, value in enumerate(values):
        peaks.record(second, value)
        seen.append(peaks.largest())
    assert tuple(seen) == largest


def test_a_gap_ends_what_is_old() -> None:
    peaks = Peaks(5, granularity=1)
    for second, value in ((0, 6), (1, 5), (2, 2)):
        peaks.record(second, value)
        assert peaks.largest() == 6
    peaks.record(6, 1)
    assert peaks.largest() == 2


@pytest.mark.parametrize("values", [range(1, 8), range(7, 0, -1)], ids=["rising", "falling"])
def test_of_one_moment_the_largest_counts(values: range) -> None:
    peaks = Peaks(5, granularity=1)
    for value in values:
        peaks.record(1.2, value)
    assert peaks.largest() == 7


def test_nothing_was_wished_yet() -> None:
    assert Peaks(5).largest() == 0
