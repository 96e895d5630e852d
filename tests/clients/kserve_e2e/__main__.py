"""`python -m tests.clients.kserve_e2e`: run upstream's tests of serving, tell of each, and write the table."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from tests.clients.kserve_e2e import judging, places, report, tests

PAGE = places.ROOT / "docs/conformance.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients.kserve_e2e", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of the names of what is judged (default: all)")
    parser.add_argument("--at-once", type=int, default=4, help="how many run side by side (default: 4)")
    parser.add_argument("--write", action="store_true", help=f"write the table of {PAGE.relative_to(places.ROOT)}")
    options = parser.parse_args()
    upstream, python = places.checkout(), places.interpreter()
    if upstream is None or python is None:
        parser.error(f"set {places.CHECKOUT} and {places.PYTHON}: see tests/clients/README.md")
    if not (upstream / places.PROGRAMS).is_dir():
        parser.error(f"{upstream} has no {places.PROGRAMS}: see tests/clients/README.md")
    if options.write and options.names:
        parser.error("the table is of everything: name nothing")
    everything = _collected(python, upstream)
    chosen = [test for test in everything if tests.judged(test)]
    chosen = [test for test in chosen if not options.names or any(name in test for name in options.names)]
    with places.ground(upstream) as ground:
        verdicts = judging.judge(python, upstream, ground, chosen, options.at_once)
    if options.write:
        report.write(PAGE, verdicts, everything, options.at_once)
    passed = sum(verdict.outcome == "passed" for verdict in verdicts)
    print(f"{passed} of {len(verdicts)} pass.")
    return 0 if passed == len(verdicts) else 1


def _collected(python: str, upstream: Path) -> list[str]:
    """All tests of upstream's, as pytest names them."""
    command = [python, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-o", "log_cli=false", "."]
    done = subprocess.run(command, cwd=upstream / "test/e2e", capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if "::" in line and not line.startswith("ERROR")]
    if not found:
        raise SystemExit(f"{python} collects none of the tests in {upstream}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
