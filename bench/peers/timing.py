"""What every peer's program shares: `chain N` or `fan N` on its command line, and one line of JSON at the end.

Standard library only: each program runs in its peer's own environment, with this folder on its path.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import metadata


def measured(package: str, shapes: dict[str, Callable[[int], None]]) -> None:
    """Run the shape that the command line names once, after a small one that warms what can be warm."""
    shape, steps = sys.argv[1], int(sys.argv[2])
    shapes[shape](2)
    begin = time.perf_counter()
    shapes[shape](steps)
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "version": metadata.version(package)}), flush=True)
