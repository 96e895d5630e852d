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


MODELS = ("joblib", "cloudpickle", "skops", "sklearn", "xgboost", "lightgbm", "onnxruntime", "torch", "transformers")


def test_the_platform_knows_no_library_that_could_load_a_model() -> None:
    """A pickle runs code when it is loaded: that happens in the process of its pod, which `serving.inpod` is."""
    program = "import sys, fairway.up, fairway.features, fairway.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in loaded if name.split(".")[0] in MODELS or name.startswith("fairway.serving.inpod")]


SELDOM = (
    "alembic",
    "mako",
    "pygments",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
    "kfp",
    "rich",
    "numpy",
    "http.server",
)


def test_a_start_loads_nothing_that_it_seldom_needs() -> None:
    program = "import sys, fairway.cli.foreground; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in loaded if name.startswith(SELDOM)]


def test_nothing_outside_of_pods_reads_a_pickle() -> None:
    found = []
    for path in SOURCE.rglob("*.py"):
        if "inpod" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path}: {name}" for name in names if name.split(".")[0] in (*MODELS, "pickle", "shelve")]
    assert not found


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
