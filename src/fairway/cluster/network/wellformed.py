"""Checks of what users write in routes, so that one bad route cannot make Envoy refuse the table of all. Pure.

Each function gives its argument back, or raises ValueError with a sentence.
"""

from __future__ import annotations

import re

_HOST = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PATH = re.compile(r"/[^?#\x00-\x20\x7f]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# Envoy's engine (RE2) runs in linear time and so has no look-around, back-references, atomic or conditional groups.
_NOT_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|>|\(|P=|#)|(?<!\\)(?:\\\\)*\\[1-9]|[*+?}]\+")


def hostname(host: str) -> str:
    if host.rpartition(".")[2].isdigit():
        raise ValueError(f"{host!r} is an address, which every host has: a route names hosts, or none")
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is not a host name such as a.example.com or *.example.com")
    return host


def path(value: str) -> str:
    if not _PATH.fullmatch(value):
        raise ValueError(f"{value!r} is not a path: it starts with / and has no query, fragment or space")
    return value


def header(name: str, value: str = "") -> str:
    if not _HEADER.fullmatch(name) or name.lower() == "host":
        raise ValueError(f"{name!r} is not a header that a route may use")
    if _CONTROL.search(value):
        raise ValueError(f"the value of header {name} has control characters")
    return name


def scheme(word: str) -> str:
    if word not in ("http", "https"):
        raise ValueError(f"{word!r} is not a scheme that a route may lead to: use http or https")
    return word


def port(number: int) -> int:
    if not isinstance(number, int) or not 0 < number < 65536:
        raise ValueError(f"{number!r} is not a port: it is a number between 1 and 65535")
    return number


def regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as failure:
        raise ValueError(f"{pattern!r} is not a regular expression: {failure}") from failure
    if _NOT_RE2.search(pattern):
        raise ValueError(f"{pattern!r} uses look-around or back-references, which the gateway's engine (RE2) has not")
    return pattern
