"""Answers in the form in which two servers' can be compared: what is different each time is masked.

`python -m tests.cluster.api.golden.answers URL RELEASE` asks a real API server, whose token is in the variable
FAIRWAY_GOLDEN_TOKEN, all scenes, and writes what it answers into `answers.json` beside this file. Neither controllers
nor a node may run, and no service account be asked for (as with `--disable-admission-plugins ServiceAccount`).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.cluster.api.golden.scenes import SCENES, Ask

FILE = Path(__file__).with_name("answers.json")
Send = Callable[[Ask], Awaitable[tuple[int, Any]]]

_EACH_TIME = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "time", "clusterIP", "continue")
_LISTS_EACH_TIME = ("clusterIPs",)
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


async def played(send: Send, number: int, asks: list[Ask]) -> list[Any]:
    """The masked answers of one scene, in a namespace of its own."""
    namespace = f"golden-{number}"
    await send(Ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}}))
    answers = []
    for ask in asks:
        code, body = await send(_within(ask, namespace))
        answers.append({"code": code, "body": _masked(body, namespace)})
    return answers


def read(body: bytes) -> Any:
    """The object; or the text where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()


def _within(ask: Ask, namespace: str) -> Ask:
    return Ask(ask.method, ask.path.replace("/NS", f"/{namespace}"), ask.body, ask.media, ask.accept)


def _masked(value: Any, namespace: str) -> Any:
    if isinstance(value, dict):
        return {
            key: "*" if _changes(key, inner) else _masked(inner, namespace)
            for key, inner in sorted(value.items())
            if not _of_a_release(key, inner)
        }
    if isinstance(value, list):
        return [_masked(inner, namespace) for inner in value]
    if isinstance(value, str):
        return _UID.sub("*", value.replace(namespace, "NS"))
    return value


def _of_a_release(key: str, value: Any) -> bool:
    """What the releases between the recorded server's and ours brought or took, and says nothing of an answer."""
    if key in ("selfLink", "managedFields", "description"):  # descriptions of a table's columns are upstream's prose
        return True
    return key == "generation" or (key == "creationTimestamp" and value is None)


def _changes(key: str, value: Any) -> bool:
    if key in _LISTS_EACH_TIME:
        return value != ["None"]
    return key in _EACH_TIME and isinstance(value, str) and value not in ("", "None")


async def _record(url: str, release: str, token: str) -> None:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE  # a server that was started for this, on loopback
    async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as session:

        async def send(ask: Ask) -> tuple[int, Any]:
            headers = {"Content-Type": ask.media, "Accept": ask.accept}
            data = None if ask.body is None else json.dumps(ask.body)
            async with session.request(ask.method, ask.path, headers=headers, data=data, ssl=tls) as answer:
                return answer.status, read(await answer.read())

        scenes = {name: await played(send, number, asks) for number, (name, asks) in enumerate(SCENES.items())}
    FILE.write_text(json.dumps({"server": release, "scenes": scenes}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    asyncio.run(_record(sys.argv[1], sys.argv[2], os.environ["FAIRWAY_GOLDEN_TOKEN"]))
