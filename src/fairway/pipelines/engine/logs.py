"""Logs that outlive their pods: put into the step's task folder before the pod is ended or removed."""

from __future__ import annotations

import logging
from contextlib import aclosing

from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors
from fairway.pipelines.engine.play import Means
from fairway.pipelines.render import folders

log = logging.getLogger(__name__)

_KEPT = 1 << 20
"""Most bytes of a log that is kept so."""


async def keep(means: Means, client: Client, pod: str, namespace: str, folder: str) -> None:
    """As far as it can be had: a step does not fail over its log."""
    kept = bytearray()
    try:
        async with aclosing(client.logs(pod, namespace)) as chunks:
            async for chunk in chunks:
                kept += chunk
                if len(kept) > _KEPT:
                    break
        await means.artifacts.put(f"{folder}/{folders.LOG}", bytes(kept[:_KEPT]))
    except (errors.ApiError, OSError) as failure:
        log.debug("the log of pod %s is not kept: %s", pod, failure)
