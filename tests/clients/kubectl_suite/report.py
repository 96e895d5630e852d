"""The table of kubectl's own suite, for docs/conformance.md: a row for each group, a column for each round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .judging import Verdict

BEGIN, END = "<!-- kubectl suite -->", "<!-- end of kubectl suite -->"


@dataclass(frozen=True)
class Round:
    """All groups with one kubectl. `reasons` say why a group does not pass; without one it has to."""

    title: str
    reasons: Mapping[str, str]
    verdicts: Sequence[Verdict]

    def unexplained(self) -> list[str]:
        return [one.group for one in self.verdicts if not one.passes and one.group not in self.reasons]


def counted(rounds: Sequence[Round]) -> str:
    everywhere = list(zip(*(one.verdicts for one in rounds), strict=True))
    passed = sum(any(verdict.passes for verdict in group) for group in everywhere)
    each = "; ".join(f"{sum(one.passes for one in round_.verdicts)} {round_.title}" for round_ in rounds)
    silent = {name for round_ in rounds for name in round_.unexplained()}
    end = f" Not explained: {', '.join(sorted(silent))}." if silent else ""
    return f"Of {len(everywhere)} groups {passed} pass: {each}.{end}"


def write(page: Path, rounds: Sequence[Round]) -> None:
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{_table(rounds)}\n{END}{after}")


def _table(rounds: Sequence[Round]) -> str:
    titles = [one.title[:1].upper() + one.title[1:] for one in rounds]
    lines = [
        f"{datetime.now(tz=UTC).date().isoformat()}. {counted(rounds)}",
        "",
        f"| group | {' | '.join(titles)} | because |",
        f"|---|{'---|' * len(rounds)}---|",
    ]
    for group in zip(*(one.verdicts for one in rounds), strict=True):
        cells = " | ".join(_cell(verdict) for verdict in group)
        because = (
            one.reasons.get(verdict.group, "") for one, verdict in zip(rounds, group, strict=True) if not verdict.passes
        )
        reasons = "; ".join(dict.fromkeys(filter(None, because)))
        lines.append(f"| {group[0].group.removeprefix('run_')} | {cells} | {reasons} |")
    return "\n".join(lines)


def _cell(verdict: Verdict) -> str:
    if verdict.passes:
        return "passes"
    more = f" and {len(verdict.misses) - 1} more" if len(verdict.misses) > 1 else ""
    return f"{verdict.misses[0]}{more}"
