"""Addresses of servers that a user names: which can be called, and which are not for fetching. Pure.

The object store's library takes an endpoint as it is, and ends in a panic where it is none; so it is read here before.
Addresses of a cloud's own metadata (169.254.169.254 and its like) are refused: what they tell is who the machine is.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from fairway.artifacts.failures import CannotFetch

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?")
_METADATA = ("fd00:ec2::254", "100.100.100.200")
"""Amazon's by IPv6, and Alibaba's; the others are link-local."""


def checked(address: str) -> str:
    """The address of an object store. Raises CannotFetch."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port  # which raises where it is none
    except ValueError:
        host = ""
    if not host or not _is_plain(address) or parts.scheme not in ("http", "https") or not _is_host(host):
        raise CannotFetch(f"the endpoint {address!r} is no address that can be called: write http(s)://HOST:PORT")
    if is_metadata(host):
        raise CannotFetch(f"the endpoint {address!r} is an address of this machine's cloud, and not for fetching")
    return address


def is_metadata(host: str) -> bool:
    """Whether an address, in any of its spellings, is one at which a cloud tells of this machine."""
    found = _address(host.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    return found is not None and (found.is_link_local or str(found) in _METADATA)


def _is_plain(address: str) -> bool:
    return address.isascii() and address.isprintable() and not any(letter in " ?#@\\" for letter in address)


def _is_host(host: str) -> bool:
    return bool(_HOST.fullmatch(host)) or isinstance(_address(host), ipaddress.IPv6Address)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # one number, or in other bases, as the network reads it
    except (OSError, ValueError):
        return None
