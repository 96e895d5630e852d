"""The section "Serving: KServe's own tests" of docs/conformance.md, from verdicts. The rest of the page stays."""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import fairway
from tests.clients.kserve_e2e import tests
from tests.clients.kserve_e2e.judging import Verdict

HEADING = "## Serving: KServe's own tests"


def write(page: Path, verdicts: Sequence[Verdict], everything: Sequence[str], at_once: int) -> None:
    old = page.read_text() if page.exists() else "# Conformance\n"
    before, found, rest = old.partition(f"{HEADING}\n")
    after = re.search(r"^## ", rest, re.MULTILINE)
    tail = rest[after.start() :] if found and after else ""
    content = f"{before.rstrip()}\n\n{HEADING}\n\n{section(verdicts, everything, at_once)}\n"
    page.write_text(content + (f"\n{tail}" if tail else ""))


def section(verdicts: Sequence[Verdict], everything: Sequence[str], at_once: int) -> str:
    beyond = Counter(tests.needs(test) for test in everything if not tests.judged(test))
    elsewhere = beyond.pop("", 0)
    needs = "".join(f"| {why} | {count} |\n" for why, count in sorted(beyond.items()))
    rows = "".join(_row(verdict) for verdict in verdicts)
    passed = sum(verdict.outcome == "passed" for verdict in verdicts)
    return (
        "KServe's `test/e2e`, unmodified, with the `kserve` package, against a real `fairway up`, by "
        f"`python -m tests.clients.kserve_e2e --write` on {datetime.date.today().isoformat()} with Fairway "
        f"{fairway.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, {at_once} at a time. The "
        "models that the tests name are made by a script; their images of upstream's own little programs run those "
        "programs; a door before the gateway adds the token that the tests do not send.\n\n"
        f"Of {len(verdicts)} judged: {passed} pass. The waits of the tests look every ten seconds, so each takes at "
        f"least as long.\n\n| test | did | seconds | |\n|---|---|---:|---|\n{rows}\n"
        f"Not judged, because they need what is not here:\n\n| needs | tests |\n|---|---:|\n{needs}"
        f"\n{elsewhere} more are of LLM services across nodes and of the Helm chart.\n"
    )


def _row(verdict: Verdict) -> str:
    said = tests.why(verdict.test) or verdict.said if verdict.outcome != "passed" else ""
    cells = [f"`{verdict.test}`", verdict.outcome, f"{verdict.seconds:.0f}", said]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"
