"""What a container starts in a session of its own ends with it, and nothing of its neighbours does."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fairway.cluster.node.shepherd import strays

from .conftest import Bench, phase, state

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to whom we say")

LEAVE = "import os,sys,time\nif os.fork(): sys.exit()\nos.setsid()\nif os.fork(): os._exit(0)\n"
"""The classic way of a daemon."""


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _until(file: Path) -> str:
    """What a shell says to wait until something is written there."""
    return f"until test -s {file}; do sleep 0.02; done"


async def _pid(file: Path) -> int:
    async with asyncio.timeout(60):
        while not (file.exists() and file.read_text().strip()):
            await asyncio.sleep(0.01)
    return int(file.read_text())


async def _gone(pid: int) -> None:
    async with asyncio.timeout(60):
        while _alive(pid):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("clean", [False, True])
async def test_a_process_in_a_session_of_its_own_ends_with_its_container(
    pods: Bench, tmp_path: Path, clean: bool
) -> None:
    """With and without its environment; in the second case nothing but the lack of neighbours tells whose it is."""
    file = tmp_path / "pid"
    start = "env -i " if clean else ""
    await pods.create(
        "leaves", "sh", "-c", f"setsid {start}sh -c 'echo $$$$ > {file}; cd /; sleep 1000' & {_until(file)}"
    )
    pid = await _pid(file)
    try:
        assert phase(await pods.over("leaves")) == "Succeeded"
        await _gone(pid)
    finally:
        if _alive(pid):
            os.kill(pid, signal.SIGKILL)


async def test_a_daemon_ends_with_its_container_and_the_neighbours_daemon_does_not(pods: Bench, tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    stay = f"{LEAVE}open('{theirs}', 'w').write(str(os.getpid()))\ntime.sleep(1000)\n"
    await pods.create("neighbour", "sh", "-c", f'python3 -c "{stay}"; sleep 1000')
    neighbour = await _pid(theirs)
    await pods.create("leaves", "sh", "-c", f'python3 -c "{stay.replace(str(theirs), str(mine))}"; {_until(mine)}')
    pid = await _pid(mine)
    try:
        assert phase(await pods.over("leaves")) == "Succeeded"
        await _gone(pid)
        assert _alive(neighbour)
        assert state(await pods.until("neighbour", lambda pod: state(pod, "running")), "running")
    finally:
        for each in (pid, neighbour):
            if _alive(each):
                os.kill(each, signal.SIGKILL)


def test_a_long_line_of_descendants_is_one_family() -> None:
    parents = {number: number - 1 for number in range(2, 5000)}
    assert set(strays._family(1, parents)) == set(range(1, 5000))


FORK_FAILS = """
import errno, os, signal, socket, sys
from fairway.cluster.node.shepherd import daemon
def fails(): raise OSError(errno.EAGAIN, "no more processes")
ours, theirs = socket.socketpair()
shepherd = daemon.Shepherd(ours, name="n", mounts=False, files=(1024, 1024))
os.fork = fails
request = {"id": "p/c/0", "folder": sys.argv[1], "make": [], "address": "", "argv": ["true"], "env": {}, "cwd": "/"}
before = os.listdir("/proc/self/fd")
for _ in range(3):
    try: shepherd._start(request)
    except OSError: pass
    else: sys.exit("it was started")
assert os.listdir("/proc/self/fd") == before, "descriptors are left open"
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set(), "signals are held back"
"""


def test_where_no_process_can_be_made_nothing_is_left_open(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK_FAILS, str(tmp_path / "c")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
