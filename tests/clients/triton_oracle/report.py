"""The section of the oracle in docs/conformance.md; the rest of the page stays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.clients.triton_oracle import differences
from tests.clients.triton_oracle.judging import Verdict

BEGIN, END = "<!-- triton oracle -->", "<!-- end of triton oracle -->"


def is_wrong(verdict: Verdict) -> bool:
    """Whether it differs without a purpose, or is the same where a difference was meant."""
    return verdict.same == (verdict.question in differences.PURPOSE)


def counted(verdicts: Sequence[Verdict]) -> str:
    same, wrong = sum(verdict.same for verdict in verdicts), sum(map(is_wrong, verdicts))
    other = sum(not verdict.same and not is_wrong(verdict) for verdict in verdicts)
    return f"Of {len(verdicts)} questions: {same} answered the same, {other} otherwise on purpose, {wrong} wrong."


def write(page: Path, verdicts: Sequence[Verdict], version: str) -> None:
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{_table(verdicts, version)}\n{END}{after}")


def _table(verdicts: Sequence[Verdict], version: str) -> str:
    lines = [f"Triton {version}. {counted(verdicts)}", "", "| question | Triton | here | why |", "|---|---|---|---|"]
    for verdict in verdicts:
        if not verdict.same:
            cells = [verdict.question, _short(verdict.tritons.status, verdict.tritons.document)]
            cells += [_short(verdict.ours.status, verdict.ours.document), differences.PURPOSE.get(verdict.question, "")]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _short(status: int, document: object) -> str:
    if isinstance(document, dict) and "raised" in document:
        return str(document["status"]).removeprefix("StatusCode.")
    return str(status)
