"""Webhooks: one POST with a JSON body, signed where the rule names a secret, to an address that the rule may use.

A rule of the owner's may name any address: its maker may do everything on this machine anyway. A rule of a workload's
is for public addresses only, so that nobody reaches through us what only we can reach. The check is made on what the
name resolves to in the very moment of connecting, and redirects are not followed. Answers are not read.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from fairway import __version__

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

SECONDS = 10.0
"""A receiver that has not answered by then has not taken it."""


class NotTaken(Exception):
    """It did not arrive; the text says why, and holds no part of the address but the host. `final`: nor will it."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


async def post(target: Mapping[str, Any], body: Mapping[str, Any], secret: bytes | None, *, anywhere: bool) -> None:
    """Raises NotTaken."""
    content = orjson.dumps(body)
    host = urlsplit(target["url"]).hostname or ""
    if not anywhere:
        _check_literal(host)
    resolver = DefaultResolver() if anywhere else _PublicOnly()
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.post(
                target["url"], data=content, headers=_headers(body, content, secret), allow_redirects=False
            ) as answer,
        ):
            status = answer.status
    except TimeoutError:
        raise NotTaken(f"{host} did not answer within {SECONDS:g} s") from None
    except aiohttp.InvalidURL:
        raise NotTaken("the address is not one that can be called", final=True) from None
    except (aiohttp.ClientError, OSError) as failure:
        inner = getattr(failure, "os_error", failure)
        raise NotTaken(f"{host} cannot be reached: {_cause(failure)}", final=isinstance(inner, _Private)) from None
    if 300 <= status < 400:
        raise NotTaken(f"{host} answered {status}: redirects are not followed; use the address that it leads to")
    if not 200 <= status < 300:
        raise NotTaken(f"{host} answered {status}")


def signature(secret: bytes, content: bytes) -> str:
    """What a receiver computes too: HMAC-SHA256 of the body, as it was sent.

    >>> signature(b"key", b"The quick brown fox jumps over the lazy dog")[:23]
    'sha256=f7bc83f430538424'
    """
    return f"sha256={hmac.new(secret, content, hashlib.sha256).hexdigest()}"


def _headers(body: Mapping[str, Any], content: bytes, secret: bytes | None) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"fairway/{__version__}",
        "X-Fairway-Event": str(body["event"]),
        "X-Fairway-Delivery": str(body["id"]),
    }
    return headers if secret is None else {**headers, "X-Fairway-Signature": signature(secret, content)}


class _Private(OSError):
    """The address is none that this rule may use."""


class _PublicOnly(AbstractResolver):
    def __init__(self) -> None:
        self._resolver = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for each in found:
            _check(each["host"])
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _check_literal(host: str) -> None:
    """Addresses are not resolved, and so checked here. Raises NotTaken."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    try:
        _check(host)
    except _Private as private:
        raise NotTaken(f"{host} cannot be reached: {private}", final=True) from None


def _check(address: str) -> None:
    found = ipaddress.ip_address(address.partition("%")[0])
    if any(not each.is_global or each.is_multicast for each in (found, *_within(found))):
        raise _Private(
            "it is no public address, and notices of a workload go nowhere else; the owner may make this notice, or "
            "set notices_to_private_addresses"
        )


def _within(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The addresses of the old internet that one of the new stands for, where a router translates: 6to4 and NAT64."""
    if isinstance(found, ipaddress.IPv4Address):
        return []
    translated = [ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)] if found in _NAT64 else []
    return [*translated, *([found.sixtofour] if found.sixtofour is not None else [])]


def _cause(failure: BaseException) -> str:
    """What the system says, without the address that aiohttp puts into its texts."""
    inner = getattr(failure, "os_error", failure)
    if isinstance(failure, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not valid"
    if isinstance(inner, _Private):
        return str(inner)
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return type(failure).__name__
