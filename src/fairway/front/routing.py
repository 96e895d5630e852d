"""One entry of the front door's table of routes: what, where, and who may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Access(Enum):
    """Who may call a route."""

    PUBLIC = "everybody"
    FEATURE = "the owners, and workloads by their service account"
    OWNER = "the owners"


@dataclass(frozen=True)
class Entry:
    method: str
    path: str
    handler: Handler
    access: Access
