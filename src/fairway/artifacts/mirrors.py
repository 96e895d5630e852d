"""Addresses that are kept elsewhere: a public bucket in a folder of this machine, another one at an endpoint nearby.

Pure. A mirror takes the place of everything beneath its prefix, whether it has it or not, so that what is fetched does
not depend on what happens to be there. The longest prefix counts.
"""

from __future__ import annotations

from collections.abc import Iterable


def resolved(uri: str, mirrors: Iterable[str]) -> str:
    """Where the bytes of `uri` are kept. Each mirror is PREFIX=PLACE.

    >>> resolved("gs://models/iris/1", ["gs://models=/srv/models", "gs://models/iris=s3://mine"])
    's3://mine/1'
    >>> resolved("gs://models-beside/x", ["gs://models=/srv/models"])
    'gs://models-beside/x'
    >>> resolved("gs://models/../../etc/passwd", ["gs://models=/srv/models"])
    'gs://models/../../etc/passwd'
    """
    found = [pair for pair in map(split, mirrors) if _under(uri, pair[0])]
    if not found:
        return uri
    prefix, place = max(found, key=lambda pair: len(pair[0]))
    return place + uri[len(prefix) :]


def split(mirror: str) -> tuple[str, str]:
    """Prefix and place. Raises ValueError with a sentence."""
    prefix, separator, place = mirror.partition("=")
    if not separator or "://" not in prefix or not (place.startswith("/") or "://" in place):
        raise ValueError(f"{mirror!r} is no mirror: write PREFIX=PLACE, as in gs://models=/srv/models")
    return prefix.rstrip("/"), place.rstrip("/")


def _under(uri: str, prefix: str) -> bool:
    """What climbs is under nothing: it would lead out of the place that was opened."""
    climbs = any(segment in (".", "..") for segment in uri.split("/"))
    return (uri == prefix or uri.startswith(f"{prefix}/")) and not climbs
