"""`python -m tests.clients.triton_oracle`: ask both, tell of each question, and write the table."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from tests.clients.triton_oracle import judging, places, questions, report

PAGE = Path(__file__).parents[3] / "docs/conformance.md"
_ASK_VERSION = "from importlib import metadata; print(metadata.version('nvidia-pytriton'))"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients.triton_oracle", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table of docs/conformance.md")
    options = parser.parse_args()
    python = places.interpreter()
    if python is None:
        parser.error(f"name an interpreter that has nvidia-pytriton in {places.PYTHON}: see tests/clients/README.md")
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder, places.running(python, Path(folder)) as both:
        verdicts = judging.judge(questions.every(), both, python)
    for verdict in verdicts:
        print(f"{'WRONG' if report.is_wrong(verdict) else 'same' if verdict.same else 'other':5} {verdict.question}")
        if not verdict.same:
            print(f"      here   {str(verdict.ours)[:300]}\n      triton {str(verdict.tritons)[:300]}")
    if options.write:
        done = subprocess.run([python, "-c", _ASK_VERSION], capture_output=True, text=True, check=True)
        report.write(PAGE, verdicts, f"as nvidia-pytriton {done.stdout.strip()} carries it")
    print(report.counted(verdicts))
    return 1 if any(map(report.is_wrong, verdicts)) else 0


if __name__ == "__main__":
    raise SystemExit(main())
