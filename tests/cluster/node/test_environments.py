"""Requirements of a pod: satisfied by what is there, built once, or refused in the installer's words."""

from __future__ import annotations

import asyncio
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
async def test_a_missing_package_is_installed_once_on_top_of_our_own(tmp_path: Path, wheel: Path) -> None:
    wanted = (f"greeting @ {wheel.as_uri()}",)
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
