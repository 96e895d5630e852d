"""A container that is forked from a warm interpreter cannot be told from one that was executed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.cluster.node import warm

from .conftest import Bench, phase, state

WARM = {"annotations": {warm.ANNOTATION: "python"}}


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A folder with a module `probe` that a container may run; it is the working directory."""
    folder = tmp_path / "code"
    folder.mkdir()
    return folder


async def run(pods: Bench, folder: Path, source: str, *args: str, **container: object) -> tuple[int, str]:
    (folder / "probe.py").write_text(source)
    form = {"image": "python:3.11", "workingDir": str(folder), **container}
    await pods.create("warm", "python3", "-m", "probe", *args, container=form, **WARM)
    pod = await pods.over("warm")
    return state(pod, "terminated")["exitCode"], await pods.log("warm")


async def test_it_is_forked_and_has_arguments_environment_and_folder(pods: Bench, module: Path) -> None:
    source = (
        "import os, sys\n"
        "print(sys.argv[1:], os.getcwd(), os.environ['X'], os.environ.get('PYTHONPATH'), __name__)\n"
        "print(os.getsid(0) == os.getpid(), sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:4])\n"
        "print(open('/proc/self/cmdline').read().split(chr(0))[3])\n"
    )
    code, log = await run(pods, module, source, "a", "b c", env=[{"name": "X", "value": "x"}])
    first, second, third = log.splitlines()
    assert code == 0
    assert first.startswith(f"['a', 'b c'] {module} x")
    assert first.endswith("__main__")
    assert second == "True [0, 1, 2, 3]"  # 3 is the folder that is being listed
    assert third == "fairway.cluster.node.shepherd", "it was executed, not forked"


async def test_exit_codes_and_tracebacks_are_the_programs_own(pods: Bench, module: Path) -> None:
    code, log = await run(pods, module, "def work():\n    raise ValueError('broken')\nwork()\n")
    assert code == 1
    assert log.startswith("Traceback (most recent call last):\n  File ")
    assert log.endswith("ValueError: broken\n")
    assert "shepherd" not in log and "runpy" not in log


async def test_exit_functions_and_threads_are_waited_for(pods: Bench, module: Path) -> None:
    source = (
        "import atexit, sys, threading, time\n"
        "atexit.register(lambda: print('last'))\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\n"
        "sys.exit('a sentence')\n"
    )
    code, log = await run(pods, module, source)
    assert code == 1
    assert sorted(log.splitlines()) == ["a sentence", "last", "thread"]
    assert log.index("thread") < log.index("last")


async def test_random_numbers_differ_between_forks(pods: Bench, module: Path) -> None:
    (module / "probe.py").write_text("import random; print(random.random())")
    form = {"image": "python:3.11", "workingDir": str(module)}
    for name in ("one", "two"):
        await pods.create(name, "python3", "-m", "probe", container=form, **WARM)
        await pods.over(name)
    assert await pods.log("one") != await pods.log("two")


async def test_variables_that_come_too_late_are_honoured_by_executing(pods: Bench, module: Path) -> None:
    source = "import sys; print(sys.flags.optimize)"
    _, log = await run(pods, module, source, env=[{"name": "PYTHONOPTIMIZE", "value": "1"}])
    assert log == "1\n"


async def test_a_killed_fork_is_reported_with_its_signal(pods: Bench, module: Path) -> None:
    code, _ = await run(pods, module, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert code == 137


async def test_an_unknown_set_is_no_obstacle(pods: Bench) -> None:
    form = {"image": "python:3.11"}
    await pods.create("cold", "python3", "-c", "print(1)", container=form, annotations={warm.ANNOTATION: "nope"})
    assert phase(await pods.over("cold")) == "Succeeded"
