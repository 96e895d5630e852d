"""The address of a model, told apart: on this machine, in a volume, or to be fetched. Pure.

Mirrors are applied first, so that an address of the cloud that is kept in a folder here is a place on this machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from fairway.artifacts import mirrors as mirroring

_HOW = "save the model on this machine and set it to that path, plain or as file:///path"
_FETCHED = ("s3", "gs", "az", "abfs", "abfss", "https", "http", "hf")
_INSTEAD = {
    "oci": "unpack the image's models into a folder, a claim or a bucket",
    "oci+native": "unpack the image's models into a folder, a claim or a bucket",
    "oci+fetch": "unpack the image's models into a folder, a claim or a bucket",
    "hdfs": "copy the model to an object store or to this machine",
    "webhdfs": "copy the model to an object store or to this machine",
    "modelscope": "use hf:// where the hub has the model, or copy it to this machine",
    "git": "clone the repository, and give the folder",
}


@dataclass(frozen=True, slots=True)
class Local:
    """A file or folder of this machine."""

    path: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A path within a PersistentVolumeClaim."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Remote:
    """To be fetched before the server starts."""

    uri: str


Source: TypeAlias = Local | Claim | Remote


def source(uri: str, mirrors: Iterable[str] = ()) -> Source:
    """Of an address without mistakes; one that cannot be read is elsewhere."""
    uri = mirroring.resolved(uri, mirrors)
    parts = _parts(uri)
    if parts is None:
        return Remote(uri)
    if parts.scheme in ("", "file"):
        return Local(unquote(parts.path) if parts.scheme else uri)
    if parts.scheme == "pvc":
        return Claim(parts.netloc, parts.path.strip("/"))
    return Remote(uri)


def mistakes(uri: str | None, where: str, mirrors: Iterable[str] = ()) -> Iterator[str]:
    """`where` names the field. What a container of the cluster's own fetches is not for this function."""
    if not uri:
        yield f"{where} is missing; {_HOW}."
        return
    uri = mirroring.resolved(uri, mirrors)
    parts = _parts(uri)
    if parts is None:
        yield f"{where} {uri!r} is not an address: what stands in brackets is no IPv6 address; {_HOW}."
        return
    scheme = "git" if parts.path.rstrip("/").endswith(".git") and parts.scheme == "https" else parts.scheme
    if not scheme and not uri.startswith("/"):
        yield f"{where} {uri!r} is a relative path; make it absolute."
    elif scheme in ("", "file"):
        if parts.netloc not in ("", "localhost") or not parts.path:
            yield f"{where} {uri!r} names another machine; write file:///absolute/path."
    elif scheme == "pvc":
        if not parts.netloc:
            yield f"{where} {uri!r} names no claim; write pvc://CLAIM/path."
    elif scheme not in _FETCHED:
        yield f"{where}: {scheme}:// is not available; {_INSTEAD.get(scheme, _HOW)}."
    elif not parts.netloc:
        yield f"{where} {uri!r} names no {'host' if scheme.startswith('http') else 'bucket or model'}."


def _parts(uri: str) -> SplitResult | None:
    """None where it cannot be read."""
    try:
        return urlsplit(uri)
    except ValueError:
        return None
