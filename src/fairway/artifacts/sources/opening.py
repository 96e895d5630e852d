"""From an address to the source that reads it: one row for each scheme. What is not read here is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

from fairway.artifacts.failures import CannotFetch
from fairway.artifacts.sources import azure, buckets
from fairway.artifacts.sources.files import FilesSource
from fairway.artifacts.sources.hub import HubSource
from fairway.artifacts.sources.objects import ObjectsSource
from fairway.artifacts.sources.source import Source
from fairway.artifacts.sources.web import WebSource

Credentials: TypeAlias = Mapping[str, str]

_INSTEAD = {
    "hdfs": "copy the files to an object store or to this machine",
    "webhdfs": "copy the files to an object store or to this machine",
    "modelscope": "write the https address of each file, or hf:// where the hub has the model",
    "oci": "unpack the image's models into a folder or a bucket",
    "oci+native": "unpack the image's models into a folder or a bucket",
    "oci+fetch": "unpack the image's models into a folder or a bucket",
    "pvc": "mount the claim in the pod",
    "git": "clone the repository, and give the folder",
}


def open_source(uri: str, credentials: Credentials) -> Source:
    """Raises CannotFetch for an address that is not read here. Nothing is asked of anybody yet."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return _file(uri, credentials)
    if scheme in ("http", "https") and _is_git(uri):
        raise _refused(uri, "git")
    known = _SCHEMES.get(scheme)
    if known is None or not rest:
        raise _refused(uri, scheme)
    try:
        return known(uri, credentials)
    except ValueError as wrong:
        raise CannotFetch(f"{uri.partition('?')[0]} is no address: {wrong}") from wrong


def _file(uri: str, credentials: Credentials) -> Source:
    del credentials
    path = Path(uri.removeprefix("file://"))
    if not path.is_absolute():
        raise CannotFetch(
            f"{uri!r} is no address: write the whole path of a file or a folder, or s3://, gs://, https://"
        )
    return FilesSource(path)


def _bucket(uri: str, credentials: Credentials) -> Source:
    return _objects(uri, buckets.find(uri, credentials))


def _objects(uri: str, bucket: buckets.Bucket) -> Source:
    return ObjectsSource(uri.partition("?")[0], bucket.name, bucket.open(""), bucket.key)


def _web(uri: str, credentials: Credentials) -> Source:
    if azure.is_blob(uri):
        return _objects(uri, buckets.azure_blob(uri, credentials))
    return WebSource(uri, credentials)


_SCHEMES: Mapping[str, Callable[[str, Credentials], Source]] = {
    "file": _file,
    **dict.fromkeys(buckets.SCHEMES, _bucket),
    "https": _web,
    "http": WebSource,
    "hf": HubSource,
}


def _is_git(uri: str) -> bool:
    return unquote(uri.partition("?")[0]).rstrip("/").endswith(".git")


def _refused(uri: str, scheme: str) -> CannotFetch:
    shown = uri.partition("?")[0]
    instead = _INSTEAD.get(scheme, "give a path, or an address that begins with s3://, gs://, az://, https:// or hf://")
    return CannotFetch(f"{shown} is not read here ({scheme}): {instead}")
