"""Puts the front door together and serves it until cancelled: on loopback, behind the gateway's public port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from fairway.front import dashboard, guard
from fairway.front.dashboard import Dashboard
from fairway.front.gateway import Gateway
from fairway.front.guard import Guard
from fairway.front.identity import Reviewer
from fairway.front.kubernetes import Kubernetes
from fairway.front.login import Login
from fairway.front.routing import Access, Entry
from fairway.front.sessions import OneTimeLinks, Sessions
from fairway.kernel.feature import Feature, Parts, Platform, Ready, Route

_LARGEST_BODY = 64 * 1024 * 1024
_END_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class FrontConfig:
    public_url: str
    """Where browsers reach us, as in http://127.0.0.1:8080: its host is the one we answer for."""
    state_dir: Path
    """Keeps the key that signs sessions."""
    token: Callable[[], str]
    """Gives the bearer token that services behind the gateway accept, for predictions tried from the dashboard."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 for any free one."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names that we may be called by, without port."""
    static_dir: Path = dashboard.BUILT


class Front:
    """`features` with what each of them built, in the order of the side bar."""

    def __init__(self, platform: Platform, features: Sequence[tuple[Feature, Parts]], config: FrontConfig) -> None:
        self.port = config.port
        self._config = config
        public = urlsplit(config.public_url)
        # Cookies do not know ports: the name does, so that two servers on one machine keep apart.
        cookie = f"fairway-{public.port or public.scheme}"
        reviewer = Reviewer(platform.client, platform.clock)
        sessions = Sessions(config.state_dir / "front.key", platform.clock)
        links = OneTimeLinks(platform.clock)
        self._login = Login(reviewer, sessions, links, cookie=cookie, public_url=config.public_url)
        pages = [page for feature, _ in features for page in feature.pages]
        access: dict[web.AbstractRoute, Access] = {}
        self.names = guard.names(public.hostname or "", *config.allowed_hosts)
        """The host names that we answer to."""
        checks = Guard(reviewer, sessions, names=self.names, cookie=cookie, access=access)
        self.app = web.Application(middlewares=[checks.pass_on], client_max_size=_LARGEST_BODY)
        self.app.on_response_prepare.append(guard.add_security_headers)
        table = [
            Entry("GET", "/healthz", healthz, Access.PUBLIC),
            *self._login.routes(),
            *Kubernetes(platform.client).routes(),
            *(_entry(route) for _, parts in features for route in parts.routes),
            *Dashboard(config.static_dir, pages, config.public_url).routes(),
        ]
        self.paths = tuple(sorted({f"/{entry.path.split('/')[1]}" for entry in table} | {"/gateway"}))
        """The beginnings of all that we serve."""
        gateway = Gateway(config.public_url, config.token, closed=self.paths)
        self.app.cleanup_ctx.append(gateway.context)
        for entry in [*table, *gateway.routes()]:
            access[self.app.router.add_route(entry.method, entry.path, entry.handler)] = entry.access

    def one_time_url(self, page: str = "") -> str:
        """A link that logs its first visitor in, within five minutes; `page` is a hash route such as #/runs."""
        return self._login.one_time_url(page=page)

    async def run(self, ready: Ready) -> None:
        """Serve until cancelled. What is under way is given a second to end."""
        runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=_END_SECONDS)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._config.host, self._config.port)
            await site.start()
            self.port = runner.addresses[0][1]
            ready()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


def _entry(route: Route) -> Entry:
    return Entry(route.method, route.path, route.handler, Access.PUBLIC if route.public else Access.FEATURE)


async def healthz(request: web.Request) -> web.Response:
    return web.Response(text="ok")
