"""Upstream's Python sources, compiled by the SDK that is installed here: all of them in one process of their own.

Sources do what they like when they are imported, so they are not imported by the judge. What one of them cannot do
(an SDK that is too old or too new for it) is told in place of its package.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .cases import Case, Source

_PATIENCE = 300


def compiled(sources: Iterable[Source], checkout: Path, folder: Path) -> list[Case]:
    """The sources as cases, with their packages in `folder`."""
    listed = list(sources)
    packages = [folder / f"{number}.yaml" for number in range(len(listed))]
    orders = [[str(checkout / each.path), each.function, str(to)] for each, to in zip(listed, packages, strict=True)]
    command = [sys.executable, "-W", "ignore", "-m", __spec__.name, str(checkout)]
    told = subprocess.run(command, input=json.dumps(orders), capture_output=True, text=True, timeout=_PATIENCE)
    assert told.returncode == 0, told.stderr
    problems = json.loads(told.stdout)
    return [
        Case(each.name, package, each.expected, problem)
        for each, package, problem in zip(listed, packages, problems, strict=True)
    ]


def main() -> None:
    """In the process of its own: orders on standard input, on standard output what went wrong with each."""
    checkout = sys.argv[1]
    sys.path.insert(0, checkout)
    with contextlib.redirect_stdout(sys.stderr):
        problems = [_compile(*order) for order in json.load(sys.stdin)]
    print(json.dumps(problems))


def _compile(path: str, function: str, package: str) -> str:
    from kfp import compiler  # noqa: PLC0415 - a second to import, which only this process needs

    try:
        compiler.Compiler().compile(getattr(_module(path), function), package)
    except Exception as wrong:
        return " ".join(traceback.format_exception_only(wrong)[-1].split())
    return ""


def _module(path: str) -> Any:
    folder = str(Path(path).parent)
    name = f"source_{Path(path).stem.replace('-', '_')}_{abs(hash(path))}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, folder)
    os.chdir(folder)  # some read files beside them
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module


if __name__ == "__main__":
    main()
