"""Sets of completion indexes as a Job's status writes them: sorted runs such as 1,3-5,7. Pure.

>>> text({1, 3, 4, 5, 7, 8})
'1,3-5,7,8'
>>> sorted(parse("1,3-5,7", 5))
[1, 3, 4]
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterable


def parse(runs: str, limit: int) -> set[int]:
    """The indexes below `limit`; a run that cannot be read is passed over, as upstream does."""
    found: set[int] = set()
    for run in filter(None, runs.split(",")):
        first, _, last = run.partition("-")
        try:
            found.update(range(int(first), min(int(last or first) + 1, limit)))
        except ValueError:
            continue
    return found


def named(runs: str, limit: int, among: Collection[int]) -> tuple[int, int]:
    """How many indexes below `limit` the runs name, and how many of those are `among`; no run is written out.

    >>> named("1,3-2000000000", 2_000_000_000, {1, 2, 3})
    (1999999998, 2)
    """
    found: list[tuple[int, int]] = []
    for run in filter(None, runs.split(",")):
        first, _, last = run.partition("-")
        try:
            found.append((int(first), min(int(last or first) + 1, limit)))
        except ValueError:
            continue
    found.sort()
    firsts = [first for first, _ in found]

    def holds(index: int) -> bool:
        at = bisect.bisect_right(firsts, index) - 1
        return at >= 0 and index < found[at][1]

    return sum(max(0, end - first) for first, end in found), sum(map(holds, among))


def text(indexes: Iterable[int]) -> str:
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(_run(first, last) for first, last in runs)


def _run(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first}{',' if last == first + 1 else '-'}{last}"
