"""What the ConfigMap lists: followed at the API where the pod may ask it, else read from the mounted file."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CONFIG_MAP
from fairway.serving.models.kinds import CONFIG_FILE

Listed = Mapping[str, Mapping[str, Any]]
"""By the name of a model: its storageUri, framework and memory."""

_LOOK_SECONDS = 1.0
_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")


async def at_the_api(client: Client, name: str, namespace: str) -> AsyncGenerator[Listed, None]:
    """Without end: each time that it changes. Where the API cannot be asked, what was listed last holds on."""
    selection = f"metadata.name={name}"
    while True:
        try:
            page = await client.list(CONFIG_MAP, namespace, fields=selection)
            yield parsed((page.items[0].get("data") or {}).get(CONFIG_FILE) if page.items else None)
            async with aclosing(client.watch(CONFIG_MAP, namespace, since=page.revision, fields=selection)) as events:
                async for event in events:
                    if event.type in ("ADDED", "MODIFIED"):
                        yield parsed((event.object.get("data") or {}).get(CONFIG_FILE))
        except (errors.ApiError, OSError):
            await asyncio.sleep(_LOOK_SECONDS)


async def in_a_folder(folder: Path) -> AsyncGenerator[Listed, None]:
    last: str | None = None
    while True:
        try:
            text = (folder / CONFIG_FILE).read_text()
        except OSError:
            text = ""
        if text != last:
            last = text
            yield parsed(text)
        await asyncio.sleep(_LOOK_SECONDS)


def parsed(text: str | None) -> Listed:
    """
    >>> parsed('[{"modelName": "m", "modelSpec": {"storageUri": "/m"}}]')
    {'m': {'storageUri': '/m'}}
    """
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return {}
    return {one["modelName"]: one["modelSpec"] for one in found if _is_model(one)} if isinstance(found, list) else {}


def _is_model(one: Any) -> bool:
    """Its name is that of a folder, and of none elsewhere: whoever may write ConfigMaps has no word about others."""
    if not isinstance(one, dict) or not isinstance(one.get("modelSpec"), dict):
        return False
    name, uri = one.get("modelName"), one["modelSpec"].get("storageUri")
    return isinstance(name, str) and bool(_NAME.fullmatch(name)) and isinstance(uri, str)
