"""Metaflow: its command runs a flow as processes, with artifacts and metadata in files. The flow is written for the
number of steps that is asked for, since a flow's graph is in its source."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import measured

HEAD = "from metaflow import FlowSpec, step\n\n\nclass Flow(FlowSpec):\n"


def chain(steps: int) -> None:
    names = ["start", *(f"link_{number}" for number in range(steps - 2)), "end"]
    body = ""
    for name, following in zip(names, [*names[1:], ""], strict=True):
        work = "self.number = 0" if name == "start" else "self.number = self.number"
        body += f"    @step\n    def {name}(self):\n        {work}\n"
        body += f"        self.next(self.{following})\n\n" if following else "\n"
    run(HEAD + body)


def fan(steps: int) -> None:
    run(
        f"{HEAD}    @step\n    def start(self):\n        self.numbers = list(range({steps}))\n"
        "        self.next(self.leaf, foreach='numbers')\n\n"
        "    @step\n    def leaf(self):\n        self.number = self.input\n        self.next(self.join)\n\n"
        "    @step\n    def join(self, inputs):\n        self.next(self.end)\n\n"
        "    @step\n    def end(self):\n        pass\n"
    )


def run(flow: str) -> None:
    path = Path(FOLDER, "flow.py")
    path.write_text(f"{flow}\n\nif __name__ == '__main__':\n    Flow()\n")
    command = [sys.executable, str(path), "--quiet", "run", "--max-workers", "2", "--max-num-splits", "2000"]
    variables = {"METAFLOW_USER": "bench", "METAFLOW_DEFAULT_DATASTORE": "local", "METAFLOW_DEFAULT_METADATA": "local"}
    subprocess.run(command, check=True, cwd=FOLDER, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)


with tempfile.TemporaryDirectory() as FOLDER:
    measured("metaflow", {"chain": chain, "fan": fan})
