"""Which headers of a request go to every step: those of tracing always, others where a pattern asks for them. Pure.

Patterns are regular expressions, searched in names such as Test-Header-1, as KServe's router reads PROPAGATE_HEADERS.
One that cannot be read is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_ALWAYS = ("traceparent", "tracestate", "x-request-id")
_NEVER = {
    "host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "expect",
    "content-encoding", "accept-encoding",  # bodies are unpacked here, and read between steps
}  # fmt: skip

Patterns = tuple[re.Pattern[str], ...]


def read(text: str) -> Patterns:
    found = []
    for pattern in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(re.compile(pattern))
        except (re.error, OverflowError, RecursionError) as wrong:
            print(f"The pattern {pattern!r} of headers is left out: {wrong}", flush=True)
    return tuple(found)


def chosen(headers: Mapping[str, str], patterns: Patterns) -> dict[str, str]:
    """`headers` have lower-case names."""
    kept = {name: headers[name] for name in _ALWAYS if name in headers}
    for name, value in headers.items():
        if name not in _NEVER and any(pattern.search(_spelled(name)) for pattern in patterns):
            kept[name] = value
    return kept


def _spelled(name: str) -> str:
    """As patterns are written: Test-Header-1."""
    return "-".join(word.capitalize() for word in name.split("-"))
