"""`python -m tests.clients.kfp_corpus`: judge, and print the table."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
from pathlib import Path

from . import corpus, places
from .cases import Verdict
from .judging import Judge


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients.kfp_corpus", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of the names of what is judged (default: all)")
    parser.add_argument("--data-dir", type=Path, help="use the platform that runs on this data directory")
    parser.add_argument("--at-once", type=int, default=4)
    options = parser.parse_args()
    cases = [
        case
        for case in corpus.cases(places.corpus())
        if not options.names or any(name in case.name for name in options.names)
    ]
    # The client prints links; it does so from several threads, so it is silenced once for all.
    with places.platform(options.data_dir) as server, contextlib.redirect_stdout(io.StringIO()):
        begun = time.monotonic()
        verdicts = Judge(server).all(cases, options.at_once, _tell)
        seconds = time.monotonic() - begun
    wrong = [verdict for verdict in verdicts if not verdict.as_expected]
    print(f"{len(verdicts) - len(wrong)} as expected, {len(wrong)} not, in {seconds:.0f} s")
    return 1 if wrong else 0


def _tell(verdict: Verdict) -> None:
    mark = "ok  " if verdict.as_expected else "WRONG"
    print(
        f"{mark:5} {verdict.case.name:70} {verdict.got:10} {verdict.seconds:6.1f} s  {verdict.reason}",
        file=sys.__stdout__,
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
