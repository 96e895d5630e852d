"""Requirements of a pod: satisfied by what is there, built once, or refused in the installer's words."""

from __future__ import annotations

import asyncio
import zipfile
from pathlib import Path

import pytest

from fairway.cluster.node import environments
from fairway.cluster.node.environments import OWN, Environments
from fairway.cluster.node.runtime import CannotStart


@pytest.mark.parametrize(
    ("requirement", "there"),
    [
        ("aiohttp", True),
        ("aiohttp>=3", True),
        ("AIOHTTP>=3,<100", True),
        ("aiohttp==0.1", False),
        ("surely-not-installed", False),
        ("surely-not-installed; python_version < '3'", True),
        ("aiohttp @ file:///tmp/aiohttp", False),
        ("--index-url http://example.com", False),
    ],
)
def test_what_the_own_environment_satisfies(requirement: str, there: bool) -> None:
    assert environments.satisfied([requirement]) is there


def test_the_address_does_not_depend_on_the_order() -> None:
    assert environments.address(["a", "b"]) == environments.address(["b", "a"]) != environments.address(["a"])


async def test_nothing_is_built_where_nothing_is_missing(tmp_path: Path) -> None:
    assert await Environments(tmp_path / "e").provide(("aiohttp>=3",)) == OWN
    assert not (tmp_path / "e").exists()


@pytest.mark.slow
async def test_a_missing_package_is_installed_once_on_top_of_our_own(tmp_path: Path) -> None:
    wanted = (f"greeting @ {_wheel(tmp_path).as_uri()}",)
    builder = Environments(tmp_path / "e")
    built = await asyncio.gather(*(builder.provide(wanted) for _ in range(3)))
    assert len({environment.python for environment in built}) == 1
    program = "import greeting, aiohttp; print(greeting.TEXT)"
    process = await asyncio.create_subprocess_exec(built[0].python, "-c", program, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert said == b"hello\n"


@pytest.mark.slow
async def test_a_package_that_cannot_be_had_is_reported(tmp_path: Path) -> None:
    missing = f"nothing @ {(tmp_path / 'nothing-1-py3-none-any.whl').as_uri()}"
    with pytest.raises(CannotStart, match="nothing") as refused:
        await Environments(tmp_path / "e").provide((missing,))
    assert refused.value.reason == "EnvironmentFailed"


def test_an_annotation_that_is_no_list_is_refused() -> None:
    with pytest.raises(CannotStart, match="JSON list"):
        environments.parse("pandas")


def _wheel(folder: Path) -> Path:
    """The smallest wheel there is."""
    path = folder / "greeting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("greeting.py", "TEXT = 'hello'\n")
        wheel.writestr("greeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        wheel.writestr("greeting-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("greeting-1.0.dist-info/RECORD", "")
    return path
