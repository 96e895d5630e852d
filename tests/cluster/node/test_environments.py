"""Requirements of a pod: satisfied by what is there, built once, or refused in the installer's words."""

from __future__ import annotations

import asyncio
import fcntl
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.node import environments, installing, requirements
from fairway.cluster.node.environments import OWN, Environment, Environments
from fairway.cluster.node.runtime import CannotStart
from tests.cluster.node.conftest import Bench, make_wheel, phase, state


@pytest.mark.parametrize(
    ("requirement", "there"),
    [
        ("aiohttp", True),
        ("aiohttp>=3", True),
        ("AIOHTTP>=3,<100", True),
        ("aiohttp==0.1", False),
        ("surely-not-installed", False),
        ("surely-not-installed; python_version < '3'", True),
        ("aiohttp; platform_release ~= 'any'", False),
        ("aiohttp @ file:///tmp/aiohttp", False),
    ],
)
def test_what_the_own_environment_satisfies(requirement: str, there: bool) -> None:
    assert requirements.satisfied([requirement]) is there


def test_the_address_does_not_depend_on_the_order() -> None:
    assert environments.address(["a", "b"]) == environments.address(["b", "a"]) != environments.address(["a"])


async def test_nothing_is_built_where_nothing_is_missing(tmp_path: Path) -> None:
    assert await Environments(tmp_path / "e").provide(("aiohttp>=3",)) == OWN
    assert not (tmp_path / "e").exists()


@pytest.mark.slow
async def test_a_missing_package_is_installed_once_on_top_of_our_own(tmp_path: Path, wheel: Path) -> None:
    wanted = (f"greeting @ {wheel.as_uri()}",)
    builder = Environments(tmp_path / "e")
    built = await asyncio.gather(*(builder.provide(wanted) for _ in range(3)))
    assert len({environment.python for environment in built}) == 1
    assert await _said(built[0], "import greeting, aiohttp; print(greeting.TEXT)") == "hello"


@pytest.mark.slow
async def test_a_package_that_cannot_be_had_is_reported(tmp_path: Path) -> None:
    missing = f"nothing @ {(tmp_path / 'nothing-1-py3-none-any.whl').as_uri()}"
    with pytest.raises(CannotStart, match="nothing") as refused:
        await Environments(tmp_path / "e").provide((missing,))
    assert refused.value.reason == "EnvironmentFailed"


@pytest.mark.slow
async def test_many_environments_are_built_side_by_side_and_kept(tmp_path: Path, wheel: Path) -> None:
    wanted = [(f"greeting @ {wheel.as_uri()}", f"aiohttp>=3.{number}") for number in range(6)]
    builder = Environments(tmp_path / "e")
    assert all(map(builder.missing, wanted))
    await asyncio.gather(*map(builder.provide, wanted))
    assert not any(map(Environments(tmp_path / "e").missing, wanted))


@pytest.mark.slow
async def test_pip_installs_where_there_is_no_uv(tmp_path: Path, wheel: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(installing.shutil, "which", lambda name, path=None: None)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wanted = requirements.parse(json.dumps(["greeting==1.0", f"--find-links={wheel.parent}"]))
    built = await Environments(tmp_path / "e").provide(wanted)
    assert await _said(built, "import greeting, aiohttp; print(greeting.TEXT)") == "hello"


SLOW_UV = """#!/bin/sh
echo begun >> "$HOME/said"
until [ -e "$HOME/go" ]; do sleep 0.05; done
echo ended >> "$HOME/said"
"""
BUILD = """
import asyncio, sys, pathlib
from fairway.cluster.node.environments import Environments
asyncio.run(Environments(pathlib.Path(sys.argv[1])).provide(("a-package",)))
"""


@pytest.mark.slow
async def test_an_installer_whose_server_was_killed_is_waited_for(tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text(SLOW_UV)
    uv.chmod(0o700)
    env = {**os.environ, "HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    async def build() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(sys.executable, "-c", BUILD, str(tmp_path / "e"), env=env)

    said = tmp_path / "said"
    killed = await build()
    while not said.exists():
        await asyncio.sleep(0.01)
    killed.kill()
    await killed.wait()
    lock = next((tmp_path / "e").glob("*.lock"))
    with lock.open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (tmp_path / "go").touch()
    assert await (await build()).wait() == 0
    assert said.read_text().split() == ["begun", "ended"] * 2


@pytest.mark.slow
async def test_packages_come_from_where_the_pod_says(tmp_path: Path, wheel: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wanted = requirements.parse(json.dumps(["greeting==1.0", f"--find-links={wheel.parent}"]))
    built = await Environments(tmp_path / "e").provide(wanted)
    assert await _said(built, "import greeting; print(greeting.TEXT)") == "hello"


@pytest.mark.slow
async def test_what_a_pod_installs_by_itself_changes_its_own_environment_only(tmp_path: Path, wheel: Path) -> None:
    built = await Environments(tmp_path / "e").provide((f"greeting @ {wheel.as_uri()}",))
    own = await environments.scratch(tmp_path / "own", built)
    pip = await asyncio.create_subprocess_exec(
        own.bin + "/pip", "install", "--quiet", "--no-index", str(_other(tmp_path))
    )
    assert await pip.wait() == 0
    assert await _said(own, "import greeting, other, aiohttp; print(greeting.TEXT, other.TEXT)") == "hello you"
    for untouched in (built, OWN):
        assert await _said(untouched, "import importlib.util; print(importlib.util.find_spec('other'))") == "None"


@pytest.mark.slow
async def test_a_pod_says_what_it_waits_for_and_how_its_packages_failed(
    pods: Bench, tmp_path: Path, wheel: Path
) -> None:
    def wanting(*packages: str) -> dict[str, str]:
        return {requirements.ANNOTATION: json.dumps(packages)}

    await pods.create("well", "python3", "-c", "import greeting", annotations=wanting(f"greeting @ {wheel.as_uri()}"))
    told = await pods.until("well", lambda pod: state(pod, "waiting").get("message"))
    assert state(told, "waiting") == {
        "reason": "BuildingEnvironment",
        "message": "building an environment with greeting",
    }
    assert phase(await pods.over("well")) == "Succeeded"
    missing = (tmp_path / "nothing-1-py3-none-any.whl").as_uri()
    await pods.create("badly", "python3", "-c", "", annotations=wanting(f"nothing @ {missing}"))
    failed = await pods.until("badly", lambda pod: state(pod, "waiting").get("reason") == "EnvironmentFailed")
    assert state(failed, "waiting")["message"].startswith("cannot install nothing: ")


@pytest.mark.slow
async def test_a_pod_that_installs_packages_leaves_our_environment_alone(pods: Bench, tmp_path: Path) -> None:
    program = f"pip install --quiet --no-index {_other(tmp_path)} && python3 -c 'import other; print(other.TEXT)'"
    await pods.create("by-command", "sh", "-c", program)
    hidden = "import os; os.system(os.environ['PROGRAM'])"
    await pods.create(
        "by-program",
        "python3",
        "-c",
        hidden,
        annotations={environments.INSTALLS: "true"},
        container={"env": [{"name": "PROGRAM", "value": program}]},
    )
    for name in ("by-command", "by-program"):
        await pods.over(name)
        assert await pods.log(name) == "you\n"
    assert importlib.util.find_spec("other") is None


@pytest.mark.parametrize("annotation", ["pandas", '{"pandas": 1}', '["--upgrade", "pandas"]', '["-r=/etc/passwd"]'])
def test_an_annotation_that_is_no_list_of_packages_is_refused(annotation: str) -> None:
    with pytest.raises(CannotStart, match="JSON list"):
        requirements.parse(annotation)


def test_a_sentence_about_packages_holds_no_address() -> None:
    wanted = ("pandas==2.2.0", "mine @ https://me:secret@example.org/mine.whl", "--index-url=https://me:secret@a.org")
    assert requirements.told(wanted) == "pandas==2.2.0, mine"


def test_a_trusted_host_may_be_written_as_an_address() -> None:
    wanted = ("--trusted-host=https://a.org/simple", "--trusted-host=b.org")
    assert requirements.options(wanted, "--trusted-host") == ["a.org", "b.org"]


def test_the_settings_of_pip_count_for_uv_too() -> None:
    listing = """global.extra-index-url='https://a.org/simple\\nhttps://b.org/simple'
global.index-url='https://c.org/simple'
install.index-url='https://d.org/simple'
:env:.find-links='/wheels /more'
global.timeout='5'"""
    assert installing.translated(listing) == {
        "UV_INDEX": "https://a.org/simple https://b.org/simple",
        "UV_DEFAULT_INDEX": "https://d.org/simple",
        "UV_FIND_LINKS": "/wheels,/more",
    }


async def _said(environment: Environment, program: str) -> str:
    process = await asyncio.create_subprocess_exec(environment.python, "-c", program, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return said.decode().strip()


def _other(folder: Path) -> Path:
    return make_wheel(folder / "wheels", "other", "TEXT = 'you'\n")
