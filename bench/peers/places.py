"""Which peers there are, what each one needs, and where its environment is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Peer:
    """`program` is a file of this folder. `mode` says how the tool runs it. `widest` bounds the fan-out, where a
    thousand steps would take the tool more than a few minutes. `interpreter` is whose environment it wants."""

    name: str
    requirements: tuple[str, ...]
    program: str
    mode: str
    widest: int = 1000
    interpreter: str = sys.executable

    @property
    def folder(self) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "fairway-bench" / "peers" / self.name

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def installed(self) -> bool:
        return (self.folder / "complete").exists()


PEERS = (
    Peer("kfp.local", ("kfp",), "kfp_local.py", "SubprocessRunner(use_venv=False), no pip in steps", widest=200),
    Peer("luigi", ("luigi",), "luigi_tasks.py", "luigi.build, local scheduler, one worker; targets, no state"),
    Peer("prefect", ("prefect",), "prefect_flow.py", "a flow and its own temporary server"),
    Peer("dagster", ("dagster",), "dagster_job.py", "execute_in_process with an instance on SQLite", widest=200),
    Peer("airflow", ("apache-airflow",), "airflow_dag.py", "dag.test() on SQLite", widest=200),
    Peer("metaflow", ("metaflow",), "metaflow_flow.py", "run with the local datastore, two workers", widest=200),
)


def set_up(peer: Peer) -> None:
    """Make the environment; where it cannot be made, say so and leave it out."""
    if peer.installed:
        print(f"{peer.name}: is there, in {peer.folder}")
        return
    shutil.rmtree(peer.folder, ignore_errors=True)
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        commands = [
            [str(uv), "venv", "--quiet", "--python", peer.interpreter, str(peer.folder)],
            [str(uv), "pip", "install", "--quiet", "--python", str(peer.python), *peer.requirements],
        ]
    else:
        commands = [
            [peer.interpreter, "-m", "venv", str(peer.folder)],
            [str(peer.python), "-m", "pip", "install", "--quiet", *peer.requirements],
        ]
    for command in commands:
        if subprocess.run(command, check=False).returncode:
            print(f"{peer.name}: could not be installed")
            return
    (peer.folder / "complete").touch()
    print(f"{peer.name}: installed in {peer.folder}")
