"""Rules, pure: what is told, to whom, read and checked; and which events a rule is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fairway.kernel.objects import errors
from fairway.kernel.objects.names import dns_subdomain
from fairway.pipelines import chronicle
from fairway.pipelines.api import messages
from fairway.pipelines.chronicle import ENDS

LATE, APPROVAL, TEST = "LATE", "APPROVAL", "TEST"
EVENTS = (*ENDS, LATE, APPROVAL)

WEBHOOK, EMAIL = "WEBHOOK", "EMAIL"
CHANNELS = {"webhook": WEBHOOK, "email": EMAIL}
"""The field of a rule that says where it tells, and the channel that it makes."""

SECRET_KEY = "token"  # noqa: S105 - the name of a key, and no secret
"""The key in a Secret, unless the rule names another."""

MOST_RECIPIENTS = 20
_ADDRESS = re.compile(r"[^@\s<>(),;:\"\\]{1,64}@[A-Za-z0-9.-]{1,255}")


@dataclass(frozen=True)
class Event:
    """Something that people or programs may be told. `key` makes it one; `run` is the run's row, as it is now."""

    kind: str
    key: str
    at: float
    run: Mapping[str, Any]
    message: str
    more: Mapping[str, Any] = field(default_factory=dict)
    """What the message holds besides."""


def wants(rule: Mapping[str, Any], kind: str, run: Mapping[str, Any]) -> bool:
    return kind in rule["events"] and run["namespace"] == rule["namespace"] and chronicle.is_chosen(run, rule["only"])


def events(fields: Mapping[str, Any]) -> list[str]:
    """Raises BadRequest."""
    given = fields.get("events")
    if not isinstance(given, list) or not given or not all(event in EVENTS for event in given):
        raise errors.BadRequest(f"events must be a list of some of {', '.join(EVENTS)}, not {given!r}")
    return list(dict.fromkeys(given))


def only(fields: Mapping[str, Any]) -> dict[str, str]:
    """Raises BadRequest."""
    given = messages.part(fields.get("only"), "NoticeFilter", "only")
    found = {name: messages.text(given, name, limit=255) for name in chronicle.CHOICES}
    return {name: value for name, value in found.items() if value}


def target(fields: Mapping[str, Any], *, anywhere: bool) -> tuple[str, dict[str, Any]]:
    """(channel, target). `anywhere` is whether who asks may send to addresses that are not public."""
    given = [name for name in CHANNELS if name in fields]
    if len(given) != 1:
        named = f"this one has {' and '.join(given)}" if given else "this one has none"
        raise errors.BadRequest(f"a notice has exactly one of webhook and email; {named}")
    if given[0] == "email":
        return EMAIL, _email(fields["email"])
    return WEBHOOK, {**_webhook(fields["webhook"]), "anywhere": anywhere}


def _webhook(value: Any) -> dict[str, Any]:
    fields = messages.part(value, "NoticeWebhook", "webhook")
    url = messages.text(fields, "url", limit=2048)
    if not _is_web_address(url):
        raise errors.BadRequest(
            "webhook.url must be an address such as https://hooks.example.com/fairway, without a user in it"
        )
    secret, key = messages.text(fields, "secret_name", limit=253), messages.text(fields, "secret_key", limit=253)
    if secret and not dns_subdomain(secret):
        raise errors.BadRequest(f"webhook.secret_name: {secret!r} is not a Secret's name")
    if key and not secret:
        raise errors.BadRequest("webhook.secret_key needs webhook.secret_name, the Secret that it is in")
    return {"url": url, **({"secret_name": secret, "secret_key": key or SECRET_KEY} if secret else {})}


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
    except ValueError:
        return False
    plain = url.isprintable() and not any(letter.isspace() for letter in url)
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _email(value: Any) -> dict[str, Any]:
    fields = messages.part(value, "NoticeEmail", "email")
    to = fields.get("to")
    if not isinstance(to, list) or not 1 <= len(to) <= MOST_RECIPIENTS:
        raise errors.BadRequest(f"email.to must be a list of 1 to {MOST_RECIPIENTS} addresses")
    wrong = [each for each in to if not isinstance(each, str) or not _ADDRESS.fullmatch(each)]
    if wrong:
        raise errors.BadRequest(f"email.to: {wrong[0]!r} is not an address such as team@example.com")
    return {"to": to}
