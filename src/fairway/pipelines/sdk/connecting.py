"""The platform that functions of the SDK mean when none is given: the one that runs here, or whose step this is."""

from __future__ import annotations

from pathlib import Path

from fairway.kernel import whereabouts
from fairway.pipelines.sdk.failures import Failure
from fairway.pipelines.sdk.server import Server


def connect(url: str = "", token: str = "", *, data_dir: str | Path | None = None) -> Server:
    """The platform at `url`, or the one that is found: by `data_dir`, $FAIRWAY_DATA_DIR, $KF_PIPELINES_ENDPOINT
    (which steps have), or on the default data directory. Works in scripts, notebooks and pods. Raises Failure."""
    if url and token:
        return Server(url.rstrip("/"), token)
    if url or token:
        raise Failure("connect takes a url and a token together, or none of them; `fairway token` prints a token")
    try:
        found = whereabouts.access(Path(data_dir) if data_dir else None)
    except whereabouts.Nowhere as problem:
        raise Failure(str(problem)) from problem
    return Server(found.url, found.token)
