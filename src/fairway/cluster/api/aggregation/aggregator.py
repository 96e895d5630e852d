"""Requests that another server answers: passed on as they are, in the sender's name and never with the sender's token.

A client's request goes on through the proxy, whatever it is: a watch, an upgrade, a body that is no JSON. Callers
without a wire (`inprocess`) are answered with what the other server says. Each connection shows this server's own
certificate and looks at the other's, unless its APIService says that nobody should.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from multidict import CIMultiDict

from fairway.cluster.api import endpoints
from fairway.cluster.api.aggregation import answers
from fairway.cluster.api.aggregation.shelf import Elsewhere, Shelf
from fairway.cluster.api.aggregation.sources import Sources
from fairway.cluster.api.auditing.visits import AUDIT_ID
from fairway.cluster.api.identity import front_proxy
from fairway.cluster.api.identity.front_proxy import FrontProxy
from fairway.cluster.api.proxying.passing import Proxy
from fairway.cluster.api.proxying.targets import Target
from fairway.cluster.store.protocol import Store
from fairway.kernel.client.http import lines, refused
from fairway.kernel.client.transport import JSON, WatchEvent
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.names import dns_label

_ANSWERED_WITHIN = 30.0
_ASKED_WITHIN = 5.0
UNAVAILABLE = "service unavailable\n"
_AS_CLIENTS_SAY_IT = "the server is currently unable to handle the request"
ITSELF = Identity("system:kube-aggregator", ("system:masters",))
"""In whose name this server asks what another one serves: it always may, as upstream has it."""


class Aggregator:
    def __init__(self, store: Store, shelf: Shelf, front: FrontProxy | None) -> None:
        """Without `front` requests go on without a certificate, which no careful server believes."""
        self._store, self.front = store, front
        self.shelf = shelf
        self.sources = Sources(shelf)
        self._proxy = Proxy()
        self._context = lru_cache(maxsize=64)(self._made)

    async def close(self) -> None:
        await self._proxy.close()

    async def pass_on(
        self, request: web.BaseRequest, identity: Identity, to: Elsewhere, visit: str
    ) -> web.StreamResponse:
        """`visit` is the request's name in the audit log, which the other server is told. Raises ApiError where nobody
        answers."""
        if not to.available:
            return _unavailable()
        try:
            target = self._target(to, request.rel_url.raw_path, identity)
        except endpoints.NoEndpoint:
            return _unavailable()
        return await self._proxy.answer(request, replace(target, sender=(*target.sender, (AUDIT_ID, visit))))

    async def ask(
        self,
        to: Elsewhere,
        identity: Identity,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> Object:
        """What the other server says, decoded. Raises ApiError."""
        headers = {} if body is None else {"Content-Type": content_type}
        data = None if body is None else orjson.dumps(body)
        target = self._behind(to, path, identity)
        async with self._asked(target, method, path, query, data, headers, _ANSWERED_WITHIN) as answer:
            return answers.decoded(await answers.read(answer))

    async def watch(
        self, to: Elsewhere, identity: Identity, path: str, query: Mapping[str, str]
    ) -> AsyncGenerator[WatchEvent, None]:
        target = self._behind(to, path, identity)
        async with self._asked(target, "GET", path, query, None, {}, None) as answer:
            async for line in lines(answer.content):
                yield answers.event(line)

    async def look(self, name: str) -> str:
        """Ask the server of an APIService what it serves, and keep it; gives upstream's sentence where it fails.

        As upstream, what it shows as its certificate does not matter here: nobody's secret goes to it.
        """
        to = next((each for each in self.shelf.all().values() if f"{each.version}.{each.group}" == name), None)
        if to is None:
            return f"there is no Service behind {name}"
        shown = to.path
        try:
            target = self._target(to, to.path, ITSELF, checked=False)
            shown = f"{target.address}{to.path}"
            self.sources.keep(to, await self._said(target, to.path), await self._schemas(target))
        except (errors.ApiError, endpoints.NoEndpoint, OSError, ValueError, TypeError) as problem:
            self.sources.failed(to)
            return f"failing or missing response from {shown}: {_why(problem, shown)}"
        return ""

    async def _said(self, target: Target, path: str) -> Object:
        async with self._asked(target, "GET", path, None, None, {}, _ASKED_WITHIN) as answer:
            return answers.decoded(await answers.read(answer))

    async def _schemas(self, target: Target) -> Object:
        """The index of its schemas; not every server has one."""
        try:
            return await self._said(target, "/openapi/v3")
        except (errors.ApiError, OSError, ValueError):
            return {}

    def _behind(self, to: Elsewhere, path: str, identity: Identity) -> Target:
        """Raises Unavailable."""
        if not to.available:
            raise errors.Unavailable(_AS_CLIENTS_SAY_IT)
        try:
            return self._target(to, path, identity)
        except endpoints.NoEndpoint:
            raise errors.Unavailable(_AS_CLIENTS_SAY_IT) from None

    @asynccontextmanager
    async def _asked(
        self,
        target: Target,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        data: bytes | None,
        headers: Mapping[str, str],
        seconds: float | None,
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        sent: CIMultiDict[str] = CIMultiDict({"Accept": JSON, "User-Agent": "fairway", **headers})
        sent.extend(target.sender)
        try:
            async with (
                asyncio.timeout(seconds),
                self._proxy.open(target, method, path, params=query, data=data, headers=sent) as answer,
            ):
                if answer.status >= 300:
                    raise refused(answer.status, await answers.read(answer))
                yield answer
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise errors.Unavailable(f"error trying to reach service: {problem or 'it does not answer'}") from problem

    def _target(self, to: Elsewhere, path: str, identity: Identity, *, checked: bool = True) -> Target:
        """Raises NoEndpoint."""
        host, port = endpoints.find(self._store, to.namespace, to.service, to.port)
        bundle = "" if to.unchecked or not checked else to.bundle
        context = self._context(bundle, to.unchecked or not checked)
        name = to.server_name if all(map(dns_label, to.server_name.split("."))) else None
        return Target("https", host, port, "", path, context, name, front_proxy.sender(identity))

    def _made(self, bundle: str, unchecked: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a server's own certificate may be all of the bundle
        if unchecked:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif bundle:
            context.load_verify_locations(cadata=base64.b64decode(bundle).decode("ascii", "ignore"))
        else:
            context.load_default_certs()
        if self.front is not None:
            self.front.prove(context)
        return context


def _unavailable() -> web.Response:
    """Upstream's answer, which is no Status: what clients make of it is a sentence of their own."""
    headers = {"X-Content-Type-Options": "nosniff"}
    return web.Response(status=503, text=UNAVAILABLE, headers=headers)


def _why(problem: Exception, shown: str) -> str:
    if isinstance(problem, errors.ApiError) and not isinstance(problem, errors.Unavailable):
        return f"bad status from {shown}: {problem.code}"
    return str(problem)
