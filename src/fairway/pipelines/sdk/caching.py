"""Forgetting what the cache knows. `options.cache` sets a step's own terms with it."""

from __future__ import annotations

from fairway.pipelines.sdk.connecting import connect
from fairway.pipelines.sdk.wire import Api


def clear_cache(pipeline: str = "", *, namespace: str = "", server: Api | None = None) -> int:
    """Forget the results of a pipeline, by its name, or of all pipelines; gives how many steps' results these were."""
    answer = (server or connect()).delete("cache", pipeline_name=pipeline, namespace=namespace)
    return int(answer.get("deleted", 0))
