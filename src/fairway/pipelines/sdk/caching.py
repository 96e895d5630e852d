"""Forgetting what the cache knows. `options.cache` sets a step's own terms with it."""

from __future__ import annotations

from fairway.pipelines.sdk.connecting import connect
from fairway.pipelines.sdk.wire import Api


def clear_cache(pipeline: str = "", *, namespace: str = "", server: Api | None = None) -> None:
    """Forget the results of a pipeline, by its name, or of all pipelines: their steps run again next time."""
    (server or connect()).delete("cache", pipeline_name=pipeline, namespace=namespace)
