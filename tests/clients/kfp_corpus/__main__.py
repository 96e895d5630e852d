"""`python -m tests.clients.kfp_corpus`: judge, tell of each pipeline, and write the table."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from . import places, report
from .cases import Verdict
from .judging import Judge
from .sections import Section, sections

PAGE = places.ROOT / "docs/conformance.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients.kfp_corpus", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of the names of what is judged (default: all)")
    parser.add_argument("--data-dir", type=Path, help="use the platform that runs on this data directory")
    parser.add_argument("--at-once", type=int, default=4, help="how many run side by side (default: 4)")
    parser.add_argument("--offline", action="store_true", help="leave out what needs a package registry")
    parser.add_argument("--write", action="store_true", help=f"write the table of {PAGE.relative_to(places.ROOT)}")
    options = parser.parse_args()
    if options.write and (options.names or options.offline or not places.checkout()):
        parser.error(f"the table is of everything: name nothing, and a checkout of upstream's in {places.VARIABLE}")
    with tempfile.TemporaryDirectory(prefix="judge-") as folder:
        chosen = [_chosen(section, options.names, options.offline) for section in sections(Path(folder))]
        if not any(section.cases for section in chosen):
            parser.error("there is nothing to judge: see tests/clients/README.md")
        judged, seconds = _judge(chosen, options.data_dir, options.at_once)
    if options.write:
        report.write(PAGE, judged, seconds, options.at_once)
    verdicts = [verdict for _, each in judged for verdict in each]
    print(f"{report.counted(verdicts)} {seconds:.0f} seconds.")
    return 1 if any(not verdict.as_expected for verdict in verdicts) else 0


def _chosen(section: Section, names: Sequence[str], offline: bool) -> Section:
    cases = [case for case in section.cases if not names or any(name in case.name for name in names)]
    return Section(section.title, section.about, [case for case in cases if not (offline and case.expected.online)])


def _judge(
    chosen: Sequence[Section], data_dir: Path | None, at_once: int
) -> tuple[list[tuple[Section, list[Verdict]]], float]:
    # The client prints links; it does so from several threads, so it is silenced once for all.
    with places.platform(data_dir) as server, contextlib.redirect_stdout(io.StringIO()):
        begun = time.monotonic()
        cases = [case for section in chosen for case in section.cases]
        verdicts = iter(Judge(server).all(cases, at_once, _tell))
        judged = [(section, [next(verdicts) for _ in section.cases]) for section in chosen]
        return judged, time.monotonic() - begun


def _tell(verdict: Verdict) -> None:
    mark = "WRONG" if verdict.reason else "needs" if verdict.beyond else "ok"
    line = f"{mark:5} {verdict.case.name:80} {verdict.got:10} {verdict.seconds:6.1f} s  {verdict.reason}"
    print(line, file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
