"""Buckets of whichever object store, by address: one row for each scheme, for reading (`opening`) and for writing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from fairway.artifacts.failures import CannotFetch
from fairway.artifacts.sources import azure, gcs, s3

Credentials: TypeAlias = Mapping[str, str]
Store: TypeAlias = S3Store | GCSStore | AzureStore


_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,254}")


@dataclass(frozen=True, slots=True)
class Bucket:
    """`name` says which one it is in all the world; `open` gives it, or what is under a prefix of it."""

    name: str
    key: str
    open: Callable[[str], Store]


def find(uri: str, credentials: Credentials) -> Bucket:
    """Raises CannotFetch for an address that names none, and for credentials that cannot be used."""
    found = SCHEMES[uri.partition("://")[0]](uri, credentials)
    return replace(found, open=partial(_opened, uri, found.open))


def store(uri: str, credentials: Credentials) -> Store:
    """All that is under the address."""
    found = find(uri, credentials)
    return found.open(found.key.rstrip("/"))


def _opened(uri: str, open_: Callable[[str], Store], prefix: str) -> Store:
    try:
        return open_(prefix)
    except (BaseError, ValueError) as wrong:  # whose texts may hold a part of the key
        shown = uri.partition("?")[0]
        raise CannotFetch(f"{shown} cannot be opened: the credentials are not such as this store takes") from wrong


def _s3(uri: str, credentials: Credentials) -> Bucket:
    bucket, key = _named(uri)
    name = f"s3 {s3.endpoint(credentials)} {bucket}"
    return Bucket(name, key, lambda prefix: s3.store(bucket, credentials, prefix=prefix))


def _minio(uri: str, credentials: Credentials) -> Bucket:
    if not s3.endpoint(credentials):
        raise CannotFetch(f"{uri} does not say where its MinIO is: give AWS_ENDPOINT_URL, or the provider's endpoint")
    return _s3(uri, credentials)


def _gcs(uri: str, credentials: Credentials) -> Bucket:
    bucket, key = _named(uri)
    name = f"gs {gcs.endpoint(credentials)} {bucket}"
    return Bucket(name, key, lambda prefix: gcs.store(bucket, credentials, prefix=prefix))


def azure_blob(uri: str, credentials: Credentials) -> Bucket:
    place = azure.place(uri, credentials)
    name = f"azure {azure.endpoint(credentials)} {place.account} {place.container}"
    return Bucket(name, place.key, lambda prefix: azure.store(place, credentials, prefix=prefix))


SCHEMES: Mapping[str, Callable[[str, Credentials], Bucket]] = {
    "s3": _s3,
    "minio": _minio,
    "gs": _gcs,
    "az": azure_blob,
    "abfs": azure_blob,
    "abfss": azure_blob,
}


def _is_key(key: str) -> bool:
    plain = not any(letter < " " or letter == "\x7f" for letter in key)
    return plain and not any(segment in (".", "..") for segment in key.split("/"))


def _named(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.partition("://")[2].partition("/")
    if not _BUCKET.fullmatch(bucket) or not _is_key(key):
        raise CannotFetch(f"{uri} names no bucket and object: write {uri.partition('://')[0]}://BUCKET/NAME")
    return bucket, key
