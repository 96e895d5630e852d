"""The table of the judge of samples, for docs/conformance.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from . import expectations
from .judging import Verdict
from .samples import Found

BEGIN, END = "<!-- kserve samples -->", "<!-- end of kserve samples -->"


def is_wrong(verdict: Verdict) -> bool:
    wanted = expectations.refusal(verdict.sample.name)
    return wanted not in verdict.refused if wanted else bool(verdict.refused)


def counted(verdicts: Sequence[Verdict]) -> str:
    wrong = sum(map(is_wrong, verdicts))
    refused = sum(bool(verdict.refused) for verdict in verdicts)
    accepted = len(verdicts) - refused
    return f"Of {len(verdicts)}: {accepted} accepted, {refused} refused by name, {wrong} otherwise than said."


def write(page: Path, found: Found, verdicts: Sequence[Verdict]) -> None:
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{_table(found, verdicts)}\n{END}{after}")


def _table(found: Found, verdicts: Sequence[Verdict]) -> str:
    accepted: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for verdict in verdicts:
        kind = f"{verdict.sample.obj['kind']} {verdict.sample.obj['apiVersion'].partition('/')[2]}"
        every[kind] += 1
        accepted[kind] += not verdict.refused
    lines = [counted(verdicts), "", "| kind | samples | accepted |", "|---|---|---|"]
    lines += [f"| {kind} | {number} | {accepted[kind]} |" for kind, number in sorted(every.items())]
    lines += ["", "| refused | in these words |", "|---|---|"]
    lines += [f"| {one.sample.name} | {_short(one.refused)} |" for one in verdicts if one.refused]
    beside = f"{found.others} objects of other groups and {len(found.unreadable)} files that are no YAML"
    lines += ["", f"{beside} are not judged."]
    return "\n".join(lines)


def _short(text: str, most: int = 160) -> str:
    text = text.replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= most else text[: most - 1] + "…"
