"""What the tests of the API hold in their hands."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from fairway.cluster.api.identity.tokens import MASTERS, Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client.client import Client
from fairway.kernel.client.transport import WatchEvent
from fairway.kernel.objects.crds import Column, CustomKind
from fairway.kernel.objects.kinds import CRD, POD, Kind, Object

WIDGET = CustomKind(
    Kind("example.dev", "v1", "Widget", "widgets"),
    {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "colour": {"type": "string", "enum": ["red", "green"], "default": "red"},
                "parts": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "count": {"type": "integer", "default": 1}},
                    },
                },
                "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
    short_names=("wd",),
    columns=(Column("Size", ".spec.size", "integer"),),
)


def pod(name: str, **metadata: Any) -> Object:
    return POD.new(name, "default", spec={"containers": [{"name": "main", "image": "busybox:1"}]}, metadata=metadata)


@dataclass
class World:
    server: ApiServer
    store: MemoryStore
    issuer: Issuer
    url: str
    tls: ssl.SSLContext
    sessions: list[aiohttp.ClientSession] = field(default_factory=list)

    def token(self, user: str = "admin", groups: tuple[str, ...] = (MASTERS,), seconds: float = 600) -> str:
        return self.issuer.mint(user, groups, seconds=seconds)

    async def raw(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """A request as any HTTP client sends it: code, headers, body."""
        if not self.sessions:
            self.sessions.append(aiohttp.ClientSession(auto_decompress=False))
        bearer = self.token() if token is None else token
        sent = {
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {bearer}"} if bearer else {}),
            **(headers or {}),
        }
        async with self.sessions[0].request(
            method, self.url + path, headers=sent, data=io.BytesIO(data) if data else None, ssl=self.tls
        ) as answer:
            return answer.status, answer.headers, await answer.read()

    async def close(self) -> None:
        for session in self.sessions:
            await session.close()


async def take(events: AsyncGenerator[WatchEvent, None], count: int) -> list[WatchEvent]:
    """The next events of a watch; fails when they do not come."""
    async with asyncio.timeout(60):
        return [await anext(events) for _ in range(count)]


async def define(client: Client, kind: CustomKind = WIDGET) -> Object:
    return await client.create(CRD, kind.definition())
