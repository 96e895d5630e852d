"""The table of kubectl's own suite, for docs/conformance.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from . import expectations
from .judging import Verdict

BEGIN, END = "<!-- kubectl suite -->", "<!-- end of kubectl suite -->"


def counted(verdicts: Sequence[Verdict]) -> str:
    passed = sum(verdict.passes for verdict in verdicts)
    explained = sum(not verdict.passes and expectations.because(verdict.group) != "" for verdict in verdicts)
    rest = len(verdicts) - passed - explained
    return f"Of {len(verdicts)} groups: {passed} pass, {explained} do not and it is said why, {rest} do otherwise."


def write(page: Path, title: str, verdicts: Sequence[Verdict]) -> None:
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{_table(title, verdicts)}\n{END}{after}")


def _table(title: str, verdicts: Sequence[Verdict]) -> str:
    day = datetime.now(tz=UTC).date().isoformat()
    lines = [
        f"{title}, on {day}. {counted(verdicts)}",
        "",
        "| group | | where it stops first | because |",
        "|---|---|---|---|",
    ]
    for verdict in verdicts:
        first = verdict.misses[0] if verdict.misses else ""
        more = f" and {len(verdict.misses) - 1} more" if len(verdict.misses) > 1 else ""
        because = "" if verdict.passes else expectations.because(verdict.group)
        mark = "passes" if verdict.passes else "no"
        lines.append(f"| {verdict.group.removeprefix('run_')} | {mark} | {first}{more} | {because} |")
    return "\n".join(lines)
