"""The cache of what was fetched stays in bounds, by when it was used last and by how much it is."""

import os
import time
from pathlib import Path

import pytest

from fairway.artifacts.cache import Cache
from fairway.artifacts.tidying import Tidied, tidy

DAY = 24 * 3600.0


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


def keep(cache: Cache, key: str, size: int, *, days_ago: float) -> Path:
    """A content that was used last so long ago."""
    cache.part(key).write_bytes(key[:1].encode() * size)
    content = cache.keep(key, cache.part(key)).path
    at = time.time() - days_ago * DAY
    os.utime(cache._note(key), (at, at))
    return content


def test_what_nobody_used_for_long_goes_and_what_was_found_lately_stays(cache: Cache, tmp_path: Path) -> None:
    old, used = keep(cache, "old", 10, days_ago=40), keep(cache, "used", 10, days_ago=40)
    assert cache.find("used") is not None  # which is a use
    assert tidy(tmp_path, unused_since=time.time() - 30 * DAY, most=0) == Tidied(1, 10)
    assert (old.exists(), used.exists()) == (False, True)
    assert cache.find("old") is None
    assert not cache._note("old").exists()


def test_the_longest_unused_goes_first_when_it_is_too_much(cache: Cache, tmp_path: Path) -> None:
    contents = [keep(cache, f"{number}-key", 100, days_ago=number) for number in range(1, 6)]
    assert tidy(tmp_path, unused_since=0, most=250) == Tidied(3, 300)
    assert [path.exists() for path in contents] == [True, True, False, False, False]


def test_what_just_came_is_not_touched_however_small_the_bound(cache: Cache, tmp_path: Path) -> None:
    content = keep(cache, "new", 100, days_ago=0)
    assert tidy(tmp_path, unused_since=time.time() + 1, most=1) == Tidied(0, 0)
    assert content.exists()


def test_parts_that_nobody_goes_on_with_go(cache: Cache, tmp_path: Path) -> None:
    left, under_way = cache.part("left"), cache.part("under-way")
    for part in (left, under_way):
        part.write_bytes(b"x")
    at = time.time() - 3 * DAY
    os.utime(left, (at, at))
    tidy(tmp_path, unused_since=0, most=0)
    assert (left.exists(), under_way.exists()) == (False, True)
