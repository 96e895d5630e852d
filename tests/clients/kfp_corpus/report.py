"""The section "Pipelines" of docs/conformance.md, from verdicts. Everything else on that page stays as it is."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

import fairway

from .cases import Verdict
from .sections import Section

HEADING = "## Pipelines"
_COMMAND = "python -m tests.clients.kfp_corpus --write"
_COLUMNS = "| pipeline | must | did | seconds | |\n|---|---|---|---:|---|\n"


def write(page: Path, judged: Sequence[tuple[Section, Sequence[Verdict]]], seconds: float, at_once: int) -> None:
    old = page.read_text() if page.exists() else "# Conformance\n"
    before, found, rest = old.partition(f"{HEADING}\n")
    after = re.search(r"^## ", rest, re.MULTILINE)
    tail = rest[after.start() :] if found and after else ""
    content = f"{before.rstrip()}\n\n{HEADING}\n\n{_introduction(judged, seconds, at_once)}\n\n"
    content += "\n\n".join(_section(section, verdicts) for section, verdicts in judged)
    page.write_text(content.rstrip() + "\n" + (f"\n{tail}" if tail else ""))


def _introduction(judged: Sequence[tuple[Section, Sequence[Verdict]]], seconds: float, at_once: int) -> str:
    verdicts = [verdict for _, each in judged for verdict in each]
    versions = ", ".join(
        (
            f"Fairway {fairway.__version__}",
            f"`kfp` {importlib.metadata.version('kfp')}",
            f"Python {platform.python_version()}",
        )
    )
    return (
        "Upstream's own pipelines, uploaded, started and waited for by the unmodified `kfp.Client` against a real "
        f"`fairway up`, by `{_COMMAND}` on {datetime.date.today().isoformat()} with {versions}, "
        f"{os.cpu_count()} cores, {at_once} at a time, in {seconds:.0f} seconds.\n\n"
        f"{counted(verdicts)}\n\n"
        "What each must do is said in tests/clients/kfp_corpus: mostly to succeed, with arguments, outputs, states of "
        "steps and lines of their logs where upstream's tests or the source say them. *Needs* is something that no "
        "machine of ours has; without it the run has to end with a sentence that names it."
    )


def counted(verdicts: Sequence[Verdict]) -> str:
    beyond = sum(verdict.beyond for verdict in verdicts)
    wrong = sum(not verdict.as_expected for verdict in verdicts)
    good = len(verdicts) - beyond - wrong
    return (
        f"Of {len(verdicts)}: {good} did what they must, {beyond} need what is not here and said so, "
        f"{wrong} did otherwise."
    )


def _section(section: Section, verdicts: Sequence[Verdict]) -> str:
    return f"### {section.title}\n\n{section.about} {counted(verdicts)}\n\n{_COLUMNS}" + "\n".join(map(_row, verdicts))


def _row(verdict: Verdict) -> str:
    expected = verdict.case.expected
    must = f"needs {expected.beyond}" if expected.beyond else expected.ends.lower()
    said = f"**{verdict.reason}**" if verdict.reason else expected.why
    cells = [f"`{verdict.case.name}`", must, verdict.got.lower(), f"{verdict.seconds:.1f}", said]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
