"""Checks of what users write in routes, so that one bad route cannot make Envoy refuse the table of all. Pure.

Each function gives its argument back, or raises ValueError with a sentence.
"""

from __future__ import annotations

import re
from typing import Any

from fairway.kernel.objects import patterns

MOST = 16
"""Headers that a filter sets, adds or removes, as the Gateway API allows."""
_LONGEST_NAME, _LONGEST_VALUE = 256, 4096
_MOST_WEIGHT = 2**32 - 1

_HOST = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PATH = re.compile(r"/[^?#\x00-\x20\x7f]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# Envoy's engine (RE2) runs in linear time and so has no look-around, back-references, atomic or conditional groups.
_NOT_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|>|\(|P=|#)|(?<!\\)(?:\\\\)*\\[1-9]|[*+?}]\+")
# For want of RE2 itself: what only Python knows, and repetitions that RE2 finds too many.
_PYTHONS = re.compile(r"\\[ZuUN]|\(\?[a-zA-Z-]*[aLux]|\{\d{3}|\}[^{]*\{|\[\[:")


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
    if len(name) > _LONGEST_NAME or not _HEADER.fullmatch(name) or name.lower() == "host":
        raise ValueError(f"{name[:_LONGEST_NAME]!r} is not a header that a route may use")
    if _CONTROL.search(value):
        raise ValueError(f"the value of header {name} has control characters")
    if len(value) > _LONGEST_VALUE:
        raise ValueError(f"the value of header {name} is longer than {_LONGEST_VALUE} characters")
    return name


def parameter(name: str) -> str:
    if not 0 < len(name) <= _LONGEST_NAME:
        raise ValueError(f"a query parameter that is matched has a name of at most {_LONGEST_NAME} characters")
    return name


def few(headers: list[Any]) -> list[Any]:
    if len(headers) > MOST:
        raise ValueError(f"a filter changes at most {MOST} headers in each way")
    return headers


def weights(shares: dict[str, int]) -> dict[str, int]:
    if any(share < 0 for share in shares.values()) or sum(shares.values()) > _MOST_WEIGHT:
        raise ValueError(f"the weights of a rule's backends are together at most {_MOST_WEIGHT}")
    return shares


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
    if not pattern or (not patterns.LINEAR and _PYTHONS.search(pattern)):
        raise ValueError(f"{pattern!r} is not an expression that the gateway's engine (RE2) takes")
    if patterns.LINEAR:
        try:
            patterns.compiled(pattern)
        except ValueError as failure:
            raise ValueError(
                f"{pattern!r} is not an expression that the gateway's engine (RE2) takes: {failure}"
            ) from None
    return pattern
