"""What is on disk of one container: `record.json` when it was started, `exit.json` when it ended, its logs.

A process that only stands for a container leaves in `told.json` how that ended.

Written by the shepherd, read by it and by the agent. A pid is only trusted with its start time.
"""

from __future__ import annotations

import json
import os
from typing import Any

RECORD, EXIT, LOG, TOLD = "record.json", "exit.json", "log", "told.json"

_LONGEST_STAT = 4096

Record = dict[str, Any]


def write(folder: str, name: str, content: Record) -> None:
    """Whole or not at all."""
    temporary = f"{folder}/.{name}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, json.dumps(content).encode())
    finally:
        os.close(descriptor)
    os.rename(temporary, f"{folder}/{name}")


def read(folder: str, name: str) -> Record | None:
    """None where there is none; a file that a power failure has left empty is none."""
    try:
        with open(f"{folder}/{name}", "rb") as file:
            content = json.loads(file.read())
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def start_ticks(pid: int) -> int:
    """When the process started, in ticks since boot; 0 where there is none. With the pid, it names a process."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            after_name = file.read(_LONGEST_STAT).rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if after_name[0] in (b"Z", b"X") else int(after_name[19])
