"""Prefect: a flow in this process; its state is kept by the temporary server that it starts (SQLite)."""

import logging
import os
import tempfile

HOME = tempfile.TemporaryDirectory()
os.environ |= {
    "PREFECT_HOME": HOME.name,
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}

from prefect import flow, task  # noqa: E402 - it reads its settings when it is imported
from timing import measured  # noqa: E402

logging.getLogger("prefect").setLevel(logging.ERROR)


@task
def noop(number: int) -> int:
    return number


@flow
def line(steps: int) -> int:
    value = 0
    for _ in range(steps):
        value = noop(value)
    return value


@flow
def wide(steps: int) -> int:
    return len(noop.map(range(steps)).result())


measured("prefect", {"chain": lambda steps: line(steps), "fan": lambda steps: wide(steps)})
