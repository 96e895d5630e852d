"""Addresses, pure: from an address to the key under a root and back, so that no key ever leaves the root."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class NotHere(PermissionError):
    """The address is not under the root of this store, or tries to climb out of it."""


def join(root: str, *parts: str) -> str:
    """The address of a key under `root`; a part may hold several segments.

    >>> join("file:///data", "iris/4f2a", "model")
    'file:///data/iris/4f2a/model'
    """
    key = "/".join(part.strip("/") for part in parts)
    return f"{root.rstrip('/')}/{checked(key)}"


def key_under(root: str, uri: str) -> str:
    """The key of `uri` under `root`; empty for the root itself. Raises NotHere.

    >>> key_under("file:///data", "file:///data/iris/model")
    'iris/model'
    """
    top = root.rstrip("/")
    if uri.rstrip("/") == top:
        return ""
    if not uri.startswith(f"{top}/"):
        raise NotHere(f"{uri} is not kept here; the artifacts of this server are under {root}")
    return checked(uri[len(top) + 1 :].rstrip("/"))


def checked(key: str) -> str:
    """The key, where every segment is a plain name. Raises NotHere."""
    if not key or _CONTROL.search(key) or any(segment in ("", ".", "..") for segment in key.split("/")):
        raise NotHere(f"{key!r} is not an artifact's name: no empty segment, no '.' and no '..', no control character")
    return key
