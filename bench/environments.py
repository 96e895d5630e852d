"""A step that asks for packages: the first one builds an environment, every later one finds it."""

import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from kfp import dsl

from bench import runs
from bench.measuring import Row
from bench.platform import Platform


def measure(platform: Platform) -> list[Row]:
    runs.seconds(platform, _greeting(""))
    with tempfile.TemporaryDirectory() as folder:
        wheel = _wheel(Path(folder))
        first = runs.seconds(platform, _greeting(f"greeting @ file://{wheel}"))
        second = min(runs.seconds(platform, _greeting(f"greeting @ file://{wheel}")) for _ in range(3))
        reference = _by_hand(Path(folder) / "by-hand", wheel)
    return [
        Row(
            "a step with packages_to_install, the first time",
            f"{first:.2f} s",
            "",
            f"{reference:.2f} s: venv and pip install by hand",
            first / reference,
        ),
        Row(
            "  and every other time",
            f"{second:.3f} s",
            "",
            f"{reference:.2f} s: the same",
            second / reference,
        ),
    ]


def _greeting(requirement: str) -> Any:
    @dsl.component(base_image="python:3.11", packages_to_install=[requirement] if requirement else [])
    def greet() -> str:
        return "hello"

    @dsl.pipeline(name="greeting")
    def greeting() -> None:
        greet()

    return greeting


def _by_hand(folder: Path, wheel: Path) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-index", str(wheel)]
    subprocess.run(install, check=True)
    return time.perf_counter() - begin


def _wheel(folder: Path) -> Path:
    """The smallest wheel there is: what is measured is the environment, and no download."""
    path = folder / "greeting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("greeting.py", "TEXT = 'hello'\n")
        archive.writestr("greeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("greeting-1.0.dist-info/WHEEL", tag)
        archive.writestr("greeting-1.0.dist-info/RECORD", "")
    return path
