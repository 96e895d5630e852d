"""Sets of completion indexes as a Job's status writes them: sorted runs such as 1,3-5,7. Pure.

>>> text({1, 3, 4, 5, 7})
'1,3-5,7'
>>> sorted(parse("1,3-5,7"))
[1, 3, 4, 5, 7]
"""

from __future__ import annotations

from collections.abc import Iterable


def parse(runs: str) -> set[int]:
    found: set[int] = set()
    for run in filter(None, runs.split(",")):
        first, _, last = run.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def text(indexes: Iterable[int]) -> str:
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(f"{first}-{last}" if first != last else str(first) for first, last in runs)
