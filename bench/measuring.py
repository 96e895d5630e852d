"""What every benchmark shares: the row it reports, and quantiles."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table. `ratio` is measured over reference, where both are the same unit."""

    what: str
    measured: str
    budget: str
    reference: str = ""
    ratio: float | None = None


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def against(what: str, seconds: float, budget: str, reference: float, of: str) -> Row:
    """Seconds beside those of a reference."""
    return Row(what, milliseconds(seconds), budget, f"{milliseconds(reference)}: {of}", seconds / reference)
