"""One POST to a webhook: over TLS, within its time, and with a bound on its answer.

Connections and TLS contexts are kept and used again. A webhook that hangs or floods costs the one request that waits
for it; nothing here holds a lock, so that a webhook may call the API meanwhile.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from dataclasses import dataclass
from functools import lru_cache

import aiohttp
import orjson

from fairway.cluster.api import endpoints
from fairway.cluster.store.protocol import Store
from fairway.kernel.objects.kinds import Object

_LARGEST_ANSWER = 8 * 1024 * 1024
_CONNECTIONS = 100
"""To one webhook at a time; whoever comes later waits within its time."""
_KEPT_SECONDS = 30
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "kube-apiserver-admission"}


class CallFailed(Exception):
    """The webhook gave no answer that can be read; the text is upstream's."""


@dataclass(frozen=True, slots=True)
class _Place:
    shown: str
    """The address as messages have it, which is the one in the webhook's configuration."""
    url: str
    host: str | None = None
    """The name in the certificate, where it is not the URL's."""


class Caller:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._session: aiohttp.ClientSession | None = None
        self._context = lru_cache(maxsize=64)(_context)

    async def post(self, config: Object, body: Object, seconds: int) -> Object:
        """The answer of the webhook that `config` (a clientConfig) describes. Raises CallFailed."""
        data = orjson.dumps(body)
        shown = _shown(config, seconds)
        try:
            async with asyncio.timeout(seconds):
                text = await self._answer(config, data, seconds)
        except TimeoutError:
            raise CallFailed(f'Post "{shown}": context deadline exceeded') from None
        except (aiohttp.ClientError, endpoints.NoEndpoint, OSError, ValueError) as problem:
            raise CallFailed(f'Post "{shown}": {_why(problem)}') from None
        try:
            answer = orjson.loads(text)
        except orjson.JSONDecodeError as problem:
            raise CallFailed(f"couldn't get version/kind; json parse error: {problem}") from None
        if not isinstance(answer, dict):
            raise CallFailed("couldn't get version/kind; json parse error: the answer is no object")
        return answer

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _answer(self, config: Object, data: bytes, seconds: int) -> bytes:
        context = self._context(str(config.get("caBundle") or ""))
        for last in (False, True):
            place = self._place(config, seconds)
            try:
                return await self._once(place, data, context)
            except aiohttp.ServerDisconnectedError:
                if last:  # the first time it was a kept connection that the webhook has closed
                    raise
        raise AssertionError("the last try returns or raises")

    async def _once(self, place: _Place, data: bytes, context: ssl.SSLContext) -> bytes:
        headers = {**_HEADERS, "Content-Type": "application/json"}
        if place.host:
            headers["Host"] = place.host
        async with self._open().post(
            place.url, data=data, headers=headers, ssl=context, server_hostname=place.host, allow_redirects=False
        ) as response:
            text = await _bounded(response)
            if not 200 <= response.status < 300:
                raise CallFailed(_refused(response.status, text))
            return text

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0, limit_per_host=_CONNECTIONS, keepalive_timeout=_KEPT_SECONDS, ttl_dns_cache=10
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
            )
        return self._session

    def _place(self, config: Object, seconds: int) -> _Place:
        shown, service = _shown(config, seconds), config.get("service")
        if not service:
            return _Place(shown, shown)
        namespace, name, port = service["namespace"], service["name"], int(service.get("port") or 443)
        address, number = endpoints.find(self._store, namespace, name, port)
        url = f"https://{address}:{number}{service.get('path') or '/'}?timeout={seconds}s"
        return _Place(shown, url, f"{name}.{namespace}.svc")


def _shown(config: Object, seconds: int) -> str:
    service = config.get("service")
    if service:
        port = service.get("port") or 443
        address = f"https://{service['name']}.{service['namespace']}.svc:{port}{service.get('path') or '/'}"
    else:
        address = str(config.get("url") or "")
    return f"{address}?timeout={seconds}s"


def _context(bundle: str) -> ssl.SSLContext:
    pem = base64.b64decode(bundle).decode().strip() if bundle else ""
    context = ssl.create_default_context(cadata=pem) if pem else ssl.create_default_context()
    # As upstream's TLS has it: a webhook's own certificate may be all of the bundle, and need not be by the letter.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > _LARGEST_ANSWER:
            response.close()
            raise CallFailed(f"the answer has more than {_LARGEST_ANSWER} bytes")
        parts.append(part)
    return b"".join(parts)


def _refused(code: int, text: bytes) -> str:
    if code == 404:
        return "the server could not find the requested resource"
    said = text[:1024].decode(errors="replace").strip()
    if code >= 500:
        return f'an error on the server ("{said or "unknown"}") has prevented the request from succeeding'
    return f"the server answered {code}: {said or 'nothing'}"


def _why(problem: Exception) -> str:
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: x509: {problem.certificate_error}"
    if isinstance(problem, aiohttp.ClientConnectorError):
        os_error = problem.os_error
        number = os_error.errno or 0
        why = os.strerror(number).lower() if number > 0 else str(os_error)
        return f"dial tcp {problem.host}:{problem.port}: connect: {why}"
    if isinstance(problem, aiohttp.ServerDisconnectedError):
        return "EOF"
    return str(problem) or type(problem).__name__
