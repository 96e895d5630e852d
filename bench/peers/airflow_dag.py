"""Airflow: `dag.test()`, its way to run a DAG in one process; state in a database on SQLite.

It wants the DAG in a file of its DAGs folder, and reads that file again: so the file is written for the sizes that
are asked for.
"""

import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HOME = tempfile.TemporaryDirectory()
DAGS = Path(HOME.name, "dags")
os.environ |= {
    "AIRFLOW_HOME": HOME.name,
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
}
SOURCE = """
from datetime import UTC, datetime

from airflow.sdk import DAG, task


@task
def noop(number: int) -> int:
    return number


DAGS = {}
for steps in (2, SIZE):
    with DAG(f"chain_{steps}", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None) as chain:
        value = 0
        for _ in range(steps):
            value = noop(value)
    with DAG(f"fan_{steps}", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None) as fan:
        noop.expand(number=list(range(steps)))
    for shape, made in (("chain", chain), ("fan", fan)):
        DAGS[shape, steps] = globals()[f"{shape}_{steps}"] = made
"""

DAGS.mkdir()
(DAGS / "bench_dags.py").write_text(SOURCE.replace("SIZE", sys.argv[2]))
subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, stdout=subprocess.DEVNULL)
sys.path.insert(0, str(DAGS))
found = importlib.import_module("bench_dags").DAGS

from timing import measured  # noqa: E402 - what is above must come first


def chain(steps: int) -> None:
    assert found["chain", steps].test().state == "success"


def fan(steps: int) -> None:
    assert found["fan", steps].test().state == "success"


measured("apache-airflow", {"chain": chain, "fan": fan})
