"""Imports go down, never up, never sideways; what runs in a pod stays light; pure modules stay pure."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "fairway"


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


IN_PODS = (
    "fairway.pipelines.inpod",
    "fairway.serving.inpod",
    "fairway.serving.inpod.sidecar.program",
    "fairway.serving.graphs.router.program",
    "fairway.cluster.node.shepherd",
)
HEAVY = ("fairway.kernel", "fairway.cluster.api", "fairway.cluster.store", "fairway.front", "fairway.records")
WEB = ("aiohttp", "sqlalchemy", "yaml", "cryptography", "kfp", "obstore")


@pytest.mark.parametrize("module", IN_PODS)
def test_what_runs_in_a_pod_loads_neither_the_house_nor_a_web_framework(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = [name for name in loaded if name.startswith(HEAVY) or name.split(".")[0] in WEB]
    assert not heavy


IMPURE = {"asyncio", "aiohttp", "socket", "ssl", "os", "pathlib", "time", "datetime", "subprocess", "random", "secrets"}
NAMES = SOURCE / "kernel" / "objects" / "names.py"  # random suffixes are its purpose


def pure_modules() -> list[Path]:
    wanted = [*(SOURCE / "kernel" / "objects").glob("*.py"), *SOURCE.rglob("kinds.py"), *SOURCE.rglob("render.py")]
    return sorted(set(wanted) - {NAMES})


@pytest.mark.parametrize("path", pure_modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_pure_modules_import_no_network_disk_or_clock(path: Path) -> None:
    tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    assert not found & IMPURE


def test_feature_rooms_import_nothing_in_their_plaque() -> None:
    for room in ("pipelines", "serving"):
        tree = ast.parse((SOURCE / room / "__init__.py").read_text())
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)], room
