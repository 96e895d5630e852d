"""Packages that lie on the web: a version may name an address instead of holding a spec.

The file is read once, when the version is made; what is at the address later changes nothing. Workloads may not ask for
it, since the server reaches addresses that they do not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from fairway.artifacts.failures import CannotFetch
from fairway.artifacts.sources.web import WebSource
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages
from fairway.pipelines.api.packages import LIMIT, Documents, checked, from_wire

_WITHIN = 60.0


async def documents_of(fields: Mapping[str, Any], who: Identity) -> Documents:
    """The checked package of a PipelineVersion message: its spec, or what its package_url leads to."""
    url = messages.part(fields.get("package_url"), "Url", "package_url").get("pipeline_url")
    if url and "pipeline_spec" in fields:
        raise errors.BadRequest("give pipeline_spec or package_url, not both")
    if url:
        content, name = await _fetched(str(url), who)
        return await asyncio.to_thread(checked, content, name)
    if "pipeline_spec" not in fields:
        raise errors.BadRequest("pipeline_spec is missing")
    documents = from_wire(fields["pipeline_spec"])
    await asyncio.to_thread(documents.load)
    return documents


async def _fetched(url: str, who: Identity) -> tuple[bytes, str]:
    """The file, and its name."""
    try:
        parts = urlsplit(url)
    except ValueError as wrong:
        raise errors.BadRequest(f"package_url.pipeline_url is no address: {wrong}") from None
    if parts.scheme not in ("http", "https"):
        raise errors.BadRequest("package_url.pipeline_url must begin with http:// or https://")
    if who.bound_to:
        raise errors.Forbidden(
            "a workload may not have a package fetched: upload the file to /pipelines/upload instead"
        )
    source = WebSource(url, {})
    content = bytearray()
    try:
        async with asyncio.timeout(_WITHIN):
            (item,) = (await source.listing()).items
            async for chunk in source.read(item):
                content += chunk
                if len(content) > LIMIT:
                    raise errors.TooLarge(f"the package at {source.shown} is larger than {LIMIT >> 20} MiB")
    except CannotFetch as failure:
        raise errors.BadRequest(f"package_url: {failure}") from None
    except TimeoutError:
        raise errors.BadRequest(f"package_url: {source.shown} did not answer within {_WITHIN:g} s") from None
    finally:
        await source.close()
    return bytes(content), unquote(parts.path).rpartition("/")[2] or "pipeline.yaml"
