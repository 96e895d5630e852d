"""The build hook: makes what is generated and not committed, for wheels and for `pip install -e .` alike."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GeneratedData(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        sys.path.insert(0, str(Path(self.root) / "tools"))
        import generate_schemas  # noqa: PLC0415 (lies beside this file, not in a package)

        generate_schemas.generate()
