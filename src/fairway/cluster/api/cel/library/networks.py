"""Addresses, networks and URLs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from fairway.cluster.api.cel.failures import EvaluationError
from fairway.cluster.api.cel.library.overloads import Overload, dear, overload, traversal, twice

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:", re.ASCII)
_PREFIX = re.compile(r"0|[1-9]\d{0,2}", re.ASCII)
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_READ, _COMPARED = 15, 8
"""What it costs to read an address, a network or a URL, however short it is, and to compare two."""
_HOST = re.compile(r"(?:\[[0-9a-fA-F:.]+(?:%25[^\]]+)?\]|[^\s:\[\]<>\"\\^`{|}]*)(?::\d*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class IP:
    address: Address

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class CIDR:
    address: Address
    length: int

    def __str__(self) -> str:
        return f"{self.address}/{self.length}"

    @property
    def bits(self) -> int:
        return self.address.max_prefixlen

    @property
    def network(self) -> int:
        return int(self.address) >> (self.bits - self.length)


@dataclass(frozen=True, slots=True)
class URL:
    scheme: str
    host: str
    path: str
    query: str


def functions() -> Mapping[str, list[Overload]]:
    return {**_addresses(), **_networks(), **_urls()}


def _addresses() -> dict[str, list[Overload]]:
    checks = {
        "isUnspecified": lambda one: one.address.is_unspecified,
        "isLoopback": lambda one: one.address.is_loopback,
        "isLinkLocalMulticast": _link_local_multicast,
        "isLinkLocalUnicast": lambda one: one.address.is_link_local,
        "isGlobalUnicast": _global_unicast,
    }
    return {
        "ip": [
            overload("(string) IP", _ip, dear(_READ, traversal)),
            overload("CIDR.() IP", lambda one: IP(one.address)),
        ],
        "isIP": [overload("(string) bool", lambda text: _address(text) is not None, dear(_READ, traversal))],
        "ip.isCanonical": [overload("(string) bool", lambda text: str(_ip(text)) == text, dear(2 * _READ, twice))],
        "family": [overload("IP.() int", lambda one: one.address.version)],
        **{name: [overload("IP.() bool", check, dear(_COMPARED))] for name, check in checks.items()},
        "string": [overload("(IP) string", str, dear(_COMPARED)), overload("(CIDR) string", str, dear(_COMPARED))],
    }


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped is not None or address.scope_id):
        return None
    return address


def _ip(text: str) -> IP:
    address = _address(text)
    if address is None:
        raise EvaluationError(f'IP Address "{text}" parse error during conversion from string: unable to parse IP')
    return IP(address)


def _link_local_multicast(one: IP) -> bool:
    if one.address.version == 4:
        return int(one.address) >> 8 == 0xE00000
    return int(one.address) >> 112 & 0xFF0F == 0xFF02


def _global_unicast(one: IP) -> bool:
    address = one.address
    if address.version == 4 and (address.is_unspecified or int(address) == 2**32 - 1):
        return False
    return not (address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local)


def _networks() -> dict[str, list[Overload]]:
    return {
        "cidr": [overload("(string) CIDR", _cidr, dear(_READ, traversal))],
        "isCIDR": [overload("(string) bool", lambda text: _parsed(text) is not None, dear(_READ, traversal))],
        "containsIP": [
            overload("CIDR.(IP) bool", _contains, dear(_COMPARED)),
            overload("CIDR.(string) bool", lambda one, text: _contains(one, _ip(text)), dear(_READ)),
        ],
        "containsCIDR": [
            overload("CIDR.(CIDR) bool", _covers, dear(_COMPARED)),
            overload("CIDR.(string) bool", lambda one, text: _covers(one, _cidr(text)), dear(_READ)),
        ],
        "masked": [overload("CIDR.() CIDR", _masked, dear(_READ))],
        "prefixLength": [overload("CIDR.() int", lambda one: one.length)],
    }


def _parsed(text: str) -> CIDR | None:
    before, _, length = text.partition("/")
    address = _address(before)
    if address is None or not _PREFIX.fullmatch(length) or int(length) > address.max_prefixlen:
        return None
    return CIDR(address, int(length))


def _cidr(text: str) -> CIDR:
    parsed = _parsed(text)
    if parsed is None:
        raise EvaluationError(f'network address parse error during conversion from string: netip.ParsePrefix("{text}")')
    return parsed


def _contains(one: CIDR, inner: IP) -> bool:
    same = one.address.version == inner.address.version
    return same and int(inner.address) >> (one.bits - one.length) == one.network


def _covers(one: CIDR, inner: CIDR) -> bool:
    return one.length <= inner.length and _contains(one, IP(inner.address))


def _masked(one: CIDR) -> CIDR:
    return CIDR(type(one.address)(one.network << (one.bits - one.length)), one.length)


def _urls() -> dict[str, list[Overload]]:
    return {
        "url": [overload("(string) URL", _url, dear(_READ, traversal))],
        "isURL": [overload("(string) bool", lambda text: parsed_url(text) is not None, dear(_READ, traversal))],
        "getScheme": [overload("URL.() string", lambda one: one.scheme)],
        "getHost": [overload("URL.() string", lambda one: one.host)],
        "getHostname": [overload("URL.() string", _hostname)],
        "getPort": [overload("URL.() string", lambda one: one.host[len(_host_part(one)) :].removeprefix(":"))],
        "getEscapedPath": [
            overload("URL.() string", lambda one: quote(one.path, safe="/%:@!$&'()*+,;=~-._"), _path_cost)
        ],
        "getQuery": [
            overload(
                "URL.() map(string, list(string))", lambda one: parse_qs(one.query, keep_blank_values=True), _query_cost
            )
        ],
    }


def _query_cost(one: URL) -> int:
    return _READ + len(one.query)


def _path_cost(one: URL) -> int:
    return _READ + len(one.path) // 10


def parsed_url(text: str) -> URL | None:
    """An absolute URI or an absolute path; None where it is neither."""
    if not text or any(ord(character) < 32 or ord(character) == 127 for character in text) or _BAD_ESCAPE.search(text):
        return None
    if not _SCHEME.match(text) and not text.startswith("/"):
        return None
    try:
        parts = urlsplit(text)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return None
    if not _HOST.fullmatch(host):
        return None
    if text.startswith("/") and not text.startswith("//"):
        path, _, query = text.partition("#")[0].partition("?")
        return URL("", "", path, query)
    return URL(parts.scheme, host, parts.path, parts.query)


def _url(text: str) -> URL:
    url = parsed_url(text)
    if url is None:
        raise EvaluationError(f'URL parse error during conversion from string: parse "{text}": invalid URI for request')
    return url


def _host_part(one: URL) -> str:
    if one.host.startswith("["):
        return one.host[: one.host.find("]") + 1]
    return one.host.partition(":")[0]


def _hostname(one: URL) -> str:
    return _host_part(one).removeprefix("[").removesuffix("]")
