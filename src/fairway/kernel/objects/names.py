"""Names: which are valid, and names of children made from their owner's.

>>> child("web", "predictor")
'web-predictor'
>>> len(child("x" * 80, "predictor"))
63
"""

from __future__ import annotations

import hashlib
import re
import secrets

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Upstream's letters for generated names: no vowels, so no words."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")


def dns_label(text: str) -> bool:
    return len(text) <= 63 and bool(_LABEL.fullmatch(text))


def dns_subdomain(text: str) -> bool:
    return len(text) <= 253 and bool(_SUBDOMAIN.fullmatch(text))


def child(*parts: str, limit: int = 63) -> str:
    """The parts joined by dashes, always the same for the same parts; a hash takes the place of what is too long."""
    name = "-".join(parts)
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9].rstrip('-.')}-{digest}"


def random_suffix(length: int = 5) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
