"""What the stores' settings have in common: switches that are spelled in many ways, and patience."""

from __future__ import annotations

from datetime import timedelta
from typing import Any


def on(value: str | None) -> bool:
    """Whether a switch is on; nothing is off.

    >>> on("True"), on("0"), on(None)
    (True, False, False)
    """
    return (value or "").strip().lower() in ("1", "true", "yes", "on")


def timeouts() -> Any:
    """How long obstore tries again by itself."""
    return {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}
