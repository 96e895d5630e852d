"""Named formats: `format.dns1123Label().validate(text)` gives what is wrong with a text, if anything."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fairway.cluster.api.cel.library.networks import parsed_url
from fairway.cluster.api.cel.library.overloads import Overload, overload, traversal
from fairway.cluster.api.cel.values import NONE, Optional, Timestamp, some

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_NAME_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    wrong: Callable[[str], list[str]] = field(compare=False)


def functions() -> Mapping[str, list[Overload]]:
    return {
        **{f"format.{name}": [overload("() Format", lambda one=one: one)] for name, one in _FORMATS.items()},
        "format.named": [overload("(string) optional_type(Format)", _named)],
        "validate": [
            overload("Format.(string) optional_type(list(string))", _validated, lambda _, text: 8 + traversal(text) * 8)
        ],
    }


def _named(name: str) -> Optional:
    found = _FORMATS.get(name)
    return some(found) if found else NONE


def _validated(one: Format, text: str) -> Optional:
    wrong = one.wrong(text)
    return some(wrong) if wrong else NONE


def _checked(pattern: str, text: str, most: int, *, prefix: bool = False) -> Callable[[str], list[str]]:
    form = re.compile(pattern, re.ASCII)

    def wrong(value: str) -> list[str]:
        found = [f"must be no more than {most} bytes"] if len(value) > most else []
        judged = f"{value[:-1]}a" if prefix and len(value) > 1 and value.endswith("-") else value
        # Names longer than that are refused anyway, and not searched.
        return found if len(value) <= 4096 and form.fullmatch(judged) else [*found, text]

    return wrong


def _subdomain(value: str, *, prefix: bool = False) -> list[str]:
    found = ["must be no more than 253 bytes"] if len(value) > 253 else []
    judged = f"{value[:-1]}a" if prefix and len(value) > 1 and value.endswith("-") else value
    label = re.compile(_LABEL, re.ASCII)
    right = len(value) <= 4096 and all(label.fullmatch(part) for part in judged.split("."))
    return found if right else [*found, _SUBDOMAIN_TEXT]


def _qualified(value: str) -> list[str]:
    prefix, slash, name = value.rpartition("/")
    found: list[str] = []
    if slash and not prefix:
        found.append("prefix part must be non-empty")
    elif slash:
        found += [f"prefix part {text}" for text in _subdomain(prefix)]
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > 63:
        found.append("name part must be no more than 63 bytes")
    return found if _NAME.fullmatch(name[:4096]) else [*found, _NAME_TEXT]


def _label_value(value: str) -> list[str]:
    found = ["must be no more than 63 bytes"] if len(value) > 63 else []
    return found if not value or _NAME.fullmatch(value[:4096]) else [*found, _VALUE_TEXT]


def _base64(value: str) -> list[str]:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return ["invalid base64"]
    return []


def _moment(value: str) -> list[str]:
    try:
        Timestamp.parse(value)
    except Exception:  # what it says differs by what is wrong
        return ["invalid datetime"]
    return []


def _date(value: str) -> list[str]:
    return [] if _DATE.fullmatch(value) and not _moment(f"{value}T00:00:00Z") else ["invalid date"]


_FORMATS = {
    "dns1123Label": Format("DNS1123Label", _checked(_LABEL, _LABEL_TEXT, 63)),
    "dns1123Subdomain": Format("DNS1123Subdomain", _subdomain),
    "dns1035Label": Format("DNS1035Label", _checked("[a-z]([-a-z0-9]*[a-z0-9])?", _LABEL_1035_TEXT, 63)),
    "dns1123LabelPrefix": Format("DNS1123LabelPrefix", _checked(_LABEL, _LABEL_TEXT, 63, prefix=True)),
    "dns1123SubdomainPrefix": Format("DNS1123SubdomainPrefix", lambda value: _subdomain(value, prefix=True)),
    "dns1035LabelPrefix": Format(
        "DNS1035LabelPrefix", _checked("[a-z]([-a-z0-9]*[a-z0-9])?", _LABEL_1035_TEXT, 63, prefix=True)
    ),
    "qualifiedName": Format("QualifiedName", _qualified),
    "labelValue": Format("LabelValue", _label_value),
    "uri": Format("URI", lambda value: [] if parsed_url(value) else [f'parse "{value}": invalid URI for request']),
    "uuid": Format("uuid", lambda value: [] if _UUID.fullmatch(value) else ["does not match the UUID format"]),
    "byte": Format("byte", _base64),
    "date": Format("date", _date),
    "datetime": Format("datetime", _moment),
}
