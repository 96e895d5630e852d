"""Files and folders that triggers look at: those under the artifacts, and those that whoever runs the platform allows.

Nobody finds out by a trigger what else is on the server's disk: everything else is refused, there or not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fairway.artifacts.addresses import NotHere, key_under
from fairway.artifacts.store import Artifacts, open_store
from fairway.kernel.objects import errors

MOST_FILES = 10_000
"""In a folder that is looked at: bounds what a look costs."""


class Places:
    def __init__(self, artifacts: Artifacts, watched: Iterable[str]) -> None:
        self._artifacts = artifacts
        self._watched = tuple(Path(path) for path in watched)

    async def look(self, uri: str) -> str:
        """What lies there now, as a text that differs when it does; empty where nothing does.

        Raises Forbidden, and OSError where it cannot be read.
        """
        store = self._store(uri)
        try:
            extent = await store.extent(uri, most=MOST_FILES) if store else None
        except NotHere as outside:
            raise self._forbidden(uri) from outside
        return f"{extent.files} files, {extent.size} bytes, {extent.modified}" if extent else ""

    def _store(self, uri: str) -> Artifacts | None:
        """None for a folder that is allowed and not there yet."""
        if _key(self._artifacts.root, uri):
            return self._artifacts
        for folder in self._watched:
            if _key(f"file://{folder}", uri) is not None:
                return open_store(folder.as_uri()) if folder.is_dir() else None
        raise self._forbidden(uri)

    def _forbidden(self, uri: str) -> errors.Forbidden:
        return errors.Forbidden(
            f"triggers may not look at {uri}: it is not under the artifacts ({self._artifacts.root}), and whoever runs "
            "the platform has not put its folder into the setting watched_paths"
        )


def _key(root: str, uri: str) -> str | None:
    """Empty for the root itself, None for what is not under it."""
    try:
        return key_under(root, uri)
    except NotHere:
        return None
