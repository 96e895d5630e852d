"""The first step of a run that failed, and the end of its log, for letters. Best effort: a letter goes without them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from sqlalchemy import Connection, select

from fairway.kernel.objects import errors
from fairway.pipelines.api.context import Context
from fairway.pipelines.notices.wording import Failure
from fairway.pipelines.render import folders
from fairway.pipelines.tables import runs, tasks

log = logging.getLogger(__name__)

LINES = 20
_LARGEST_TAIL = 256 * 1024
_SECONDS = 10.0


async def first(context: Context, run_id: str) -> Failure | None:
    """None where no step failed."""
    step = await context.records.read(lambda connection: _step(connection, run_id))
    if step is None:
        return None
    try:
        async with asyncio.timeout(_SECONDS):
            tail = await _tail(context, step)
    except (errors.ApiError, OSError) as failure:
        log.info("a notice goes without the log of %s: %s", step["pod_name"], failure)
        tail = b""
    lines = tail.decode(errors="replace").splitlines()[-LINES:]
    return Failure(step["display_name"] or step["name"], step["error_message"], lines)


def _step(connection: Connection, run_id: str) -> Mapping[str, Any] | None:
    query = (
        select(tasks, runs.c.object_namespace)
        .join(runs, runs.c.id == tasks.c.run_id)
        .where(tasks.c.run_id == run_id, tasks.c.state == "FAILED", tasks.c.type.in_(("RUNTIME", "IMPORTER")))
        .order_by(tasks.c.finished_at, tasks.c.id)
        .limit(1)
    )
    found = connection.execute(query).mappings().first()
    return dict(found) if found is not None else None


async def _tail(context: Context, step: Mapping[str, Any]) -> bytes:
    """From the pod, or from the task folder, where the log of a pod that is gone may lie."""
    content = bytearray()
    if not step["pod_name"]:
        return b""
    try:
        async with aclosing(context.client.logs(step["pod_name"], step["object_namespace"], tail=LINES)) as chunks:
            async for chunk in chunks:
                content += chunk
                del content[:-_LARGEST_TAIL]
    except (errors.NotFound, errors.BadRequest):
        address = f"{step['folder']}/{folders.LOG}"
        entry = await context.artifacts.find(address) if step["folder"] else None
        if entry is not None:
            async for chunk in context.artifacts.stream(address, start=max(0, entry.size - _LARGEST_TAIL)):
                content += chunk
    return bytes(content)
