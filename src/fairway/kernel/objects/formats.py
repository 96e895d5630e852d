"""The formats of texts that schemas may ask for, as upstream knows them. Pure.

Upstream takes the dashes out of a name before it looks; a format that it does not know is ignored, with a warning when
the definition is written.

>>> known("ipv4")("127.0.0.1"), known("date-time")("2026-02-30T00:00:00Z"), known("something")
(True, False, None)
"""

from __future__ import annotations

import base64
import binascii
import calendar
import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

Format = Callable[[str], bool]

_HEX = "[0-9a-fA-F]"
_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DURATION = re.compile(r"[+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_WORDY_DURATION = re.compile(
    r"\d+(\.\d+)?\s*(ns|us|ms|s|m|h|d|w|nanos?(econds?)?|micros?(econds?)?|millis?(econds?)?|sec(onds?)?|min(utes?)?"
    r"|hours?|days?|weeks?)",
    re.ASCII,
)
_HOST_LABEL = re.compile(r"[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?", re.ASCII)
_EMAIL = re.compile(r"(?:[^<>@\s]+ )*<?[^<>@\s,;:\\\"()\[\]]+@[^<>@\s,;:\\\"()\[\]]+>?")
_MAC = re.compile(
    rf"({_HEX}{{2}}([:-]{_HEX}{{2}}){{5}}|{_HEX}{{2}}([:-]{_HEX}{{2}}){{7}}|{_HEX}{{4}}(\.{_HEX}{{4}}){{2,3}})"
)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_NUMBERS_ONLY = re.compile(r"[^0-9]+", re.ASCII)
_CARD = re.compile(
    r"4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}"
    r"|(?:2131|1800|35\d{3})\d{11}"
)
_CHANNEL = r"(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])"
_NAME_PART = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"


def known(name: str) -> Format | None:
    """What tells whether a text has the format; None for one that upstream does not know either."""
    return _FORMATS.get(name) or _FORMATS.get(name.replace("-", ""))


def _matching(pattern: str) -> Format:
    expression = re.compile(pattern, re.ASCII)
    return lambda text: expression.fullmatch(text) is not None


def _date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    year, month, day = map(int, text.split("-"))
    return year > 0 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def _date_time(text: str) -> bool:
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return False
    return _date(match[1]) and int(match[2]) < 24 and int(match[3]) < 60 and int(match[4]) <= 60


def _byte(text: str) -> bool:
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True) is not None
    except (binascii.Error, ValueError):
        return False


def _duration(text: str) -> bool:
    return bool(_DURATION.fullmatch(text) or _WORDY_DURATION.fullmatch(text))


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _cidr(text: str) -> bool:
    address, slash, length = text.partition("/")
    found = _ip(address)
    return found is not None and bool(slash) and length.isdigit() and int(length) <= found.max_prefixlen


def _hostname(text: str) -> bool:
    return len(text) <= 255 and all(map(_HOST_LABEL.fullmatch, text.removesuffix(".").split(".")))


def _uri(text: str) -> bool:
    if not (_SCHEME.match(text) or text.startswith("/")) or any(ord(one) <= 32 for one in text):
        return False
    try:
        return urlsplit(text).port is not None or True
    except ValueError:
        return False


def _isbn(length: int) -> Format:
    def fits(text: str) -> bool:
        digits = text.replace("-", "").replace(" ", "").upper()
        if len(digits) != length or not re.fullmatch(r"\d+X?" if length == 10 else r"\d+", digits, re.ASCII):
            return False
        values = [10 if one == "X" else int(one) for one in digits]
        if length == 10:
            return sum((10 - index) * value for index, value in enumerate(values)) % 11 == 0
        return sum(value * (3 if index % 2 else 1) for index, value in enumerate(values)) % 10 == 0

    return fits


def _card(text: str) -> bool:
    digits = _NUMBERS_ONLY.sub("", text)
    if not _CARD.fullmatch(digits):
        return False
    doubled = [int(one) * (1 + index % 2) for index, one in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


_FORMATS: dict[str, Format] = {
    "bsonobjectid": _matching(_HEX + "{24}"),
    "uri": _uri,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": _hostname,
    "ipv4": lambda text: isinstance(_ip(text), ipaddress.IPv4Address),
    "ipv6": lambda text: isinstance(_ip(text), ipaddress.IPv6Address),
    "cidr": _cidr,
    "mac": lambda text: _MAC.fullmatch(text) is not None,
    "uuid": _matching(rf"{_HEX}{{8}}-?({_HEX}{{4}}-?){{3}}{_HEX}{{12}}"),
    "uuid3": _matching(rf"{_HEX}{{8}}-?{_HEX}{{4}}-?3{_HEX}{{3}}-?{_HEX}{{4}}-?{_HEX}{{12}}"),
    "uuid4": _matching(rf"{_HEX}{{8}}-?{_HEX}{{4}}-?4{_HEX}{{3}}-?[89abAB]{_HEX}{{3}}-?{_HEX}{{12}}"),
    "uuid5": _matching(rf"{_HEX}{{8}}-?{_HEX}{{4}}-?5{_HEX}{{3}}-?[89abAB]{_HEX}{{3}}-?{_HEX}{{12}}"),
    "isbn": lambda text: _isbn(10)(text) or _isbn(13)(text),
    "isbn10": _isbn(10),
    "isbn13": _isbn(13),
    "creditcard": _card,
    "ssn": _matching(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _matching(rf"#?({_HEX}{{3}}|{_HEX}{{6}})"),
    "rgbcolor": _matching(rf"rgb\(\s*{_CHANNEL}\s*,\s*{_CHANNEL}\s*,\s*{_CHANNEL}\s*\)"),
    "byte": _byte,
    "password": lambda _: True,
    "date": _date,
    "duration": _duration,
    "datetime": _date_time,
    "k8sshortname": lambda text: len(text) <= 63 and re.fullmatch(_NAME_PART, text, re.ASCII) is not None,
    "k8slongname": lambda text: (
        len(text) <= 253 and all(re.fullmatch(_NAME_PART, part, re.ASCII) for part in text.split("."))
    ),
}
