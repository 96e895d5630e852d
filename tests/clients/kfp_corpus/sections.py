"""What is judged, in sections: the compiled corpus always, and what only a checkout of upstream has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import compiling, corpus, local_execution, other_sources, places
from .cases import Case


@dataclass(frozen=True)
class Section:
    title: str
    about: str
    cases: Sequence[Case]


def sections(folder: Path) -> list[Section]:
    """Packages that are compiled here lie in `folder`."""
    found = [
        Section(
            "The compiled corpus",
            "`test_data/sdk_compiled_pipelines/valid`, as it is, compiled by releases of the SDK from 2.0 to 2.17.",
            list(corpus.cases(places.corpus())),
        )
    ]
    source = places.checkout()
    if source is None:
        return found
    for place in ("sources", "local"):
        (folder / place).mkdir()
    others = compiling.compiled(other_sources.SOURCES, source, folder / "sources")
    return [
        *found,
        Section(
            "Other pipelines of upstream's",
            "Snapshots of kfp-kubernetes, uncompiled pipelines and samples, compiled here; packages of its API tests.",
            [*others, *other_sources.packages(source)],
        ),
        Section(
            "What local execution is judged by",
            "`sdk/python/test/local_execution`: upstream's table of arguments and outputs for `kfp.local`, run here.",
            compiling.compiled(local_execution.SOURCES, source, folder / "local"),
        ),
    ]
