"""Bringing what lies at an address to a place on this machine: models for servers, artifacts for steps.

    s3://  minio://  gs://  az://  abfs://  https://ACCOUNT.blob...  https://  http://  hf://  file://  /a/path

`mirrors` may say that an address is kept elsewhere, `sources` read it, `downloading` brings its files into the cache,
and from there they are placed at the target: all of them or nothing. Whoever gives no cache gets one for this fetch.
Credentials are given by their usual names (AWS_ACCESS_KEY_ID, GOOGLE_APPLICATION_CREDENTIALS, AZURE_..., HF_TOKEN,
HOST-headers); neither they nor the query of an address are in any message.
"""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fairway.artifacts import archives, downloading, staging
from fairway.artifacts import cache as caching
from fairway.artifacts import mirrors as mirroring
from fairway.artifacts.cache import Cache, Content
from fairway.artifacts.downloading import Download
from fairway.artifacts.failures import CannotFetch, Changed
from fairway.artifacts.sources import opening
from fairway.artifacts.sources.source import Listing, Source

log = logging.getLogger(__name__)

_TRIES = 3
"""How often an address is read from the start because it changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`digest` is the SHA-256 of the file, or of the names and digests of all files of the folder."""

    files: int
    size: int
    digest: str


async def fetch(
    uri: str,
    target: Path,
    *,
    credentials: Mapping[str, str],
    allow: Iterable[str] = (),
    ignore: Iterable[str] = (),
    cache: Path | None = None,
    mirrors: Iterable[str] = (),
    as_file: bool = False,
) -> Fetched:
    """Bring what lies at `uri` into the folder `target`; an archive is unpacked there. Raises CannotFetch.

    `allow` and `ignore` are patterns of names in a folder, as KServe and the hub take them. With `as_file` a single
    file becomes the target itself and stays packed, as an artifact of a pipeline is kept. `mirrors` are those
    of the settings.
    """
    kept_at = mirroring.resolved(uri, mirrors)
    for left in reversed(range(_TRIES)):
        source = opening.open_source(kept_at, credentials)
        try:
            return await _fetched(source, target, tuple(allow), tuple(ignore), cache, as_file)
        except Changed:
            if not left:
                raise
        except OSError as failure:
            text = f"{_shown(uri)} cannot be put at {target}: {failure.strerror or failure}"
            raise CannotFetch(text) from failure
        finally:
            await source.close()
    raise AssertionError("the last try returns or raises")


async def adopt(
    uri: str, path: Path, *, credentials: Mapping[str, str], cache: Path, mirrors: Iterable[str] = ()
) -> None:
    """What is at `path` was just put at `uri`: move its files into the cache, where the next `fetch` finds them.

    Only as far as both have files of the same names and sizes; whatever is in the way, the next fetch makes up for it.
    """
    source = opening.open_source(mirroring.resolved(uri, mirrors), credentials)
    try:
        listing = await source.listing()
        await asyncio.to_thread(_adopt, source.name, listing, path, Cache(cache))
    except (CannotFetch, OSError) as failure:
        log.debug("%s is not put into the cache: %s", _shown(uri), failure)
    finally:
        await source.close()


def _adopt(name: str, listing: Listing, path: Path, cache: Cache) -> None:
    for item in listing.items:
        file = path if listing.single else path / item.path
        if item.version and not file.is_symlink() and file.stat().st_size == item.size:
            key = downloading.key(name, item)
            os.rename(file, cache.part(key))
            cache.keep(key, cache.part(key))


async def _fetched(
    source: Source, target: Path, allow: tuple[str, ...], ignore: tuple[str, ...], cache: Path | None, as_file: bool
) -> Fetched:
    listing = _wanted(await source.listing(), allow, ignore)
    async with staging.staged(target) as stage:
        kept = Cache(cache if cache is not None else stage / "cache")
        contents = await Download(source, kept).all(listing.items)
        whole = stage / "whole"
        await asyncio.to_thread(_assemble, listing, contents, whole, as_file)
        await asyncio.to_thread(_move, whole, target)
    return _summary(listing, contents)


def _wanted(listing: Listing, allow: tuple[str, ...], ignore: tuple[str, ...]) -> Listing:
    """Patterns are for folders: a file that was named is wanted."""
    for item in listing.items:
        _check(item.path)
    if listing.single or not (allow or ignore):
        return listing
    items = tuple(item for item in listing.items if _matches(item.path, allow, ignore))
    if not items:
        raise CannotFetch(
            f"none of the {len(listing.items):,} files there is wanted: allowed are {', '.join(allow) or 'all'}, "
            f"ignored are {', '.join(ignore) or 'none'}"
        )
    return Listing(items, single=False)


def _matches(path: str, allow: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    allowed = not allow or any(fnmatch.fnmatch(path, pattern) for pattern in allow)
    return allowed and not any(fnmatch.fnmatch(path, pattern) for pattern in ignore)


def _check(path: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise CannotFetch(f"{path!r} is no name of a file here")


def _assemble(listing: Listing, contents: list[Content], whole: Path, as_file: bool) -> None:
    """The files as they shall be, in one place beside the target."""
    first = listing.items[0].path
    packed = (archives.kind(first) or listing.archive) if listing.single and not as_file else ""
    if packed:
        archives.unpack(contents[0].path, whole, packed, first)
    elif listing.single and as_file:
        caching.place(contents[0].path, whole)
    else:
        for item, content in zip(listing.items, contents, strict=True):
            caching.place(content.path, whole / item.path)


def _move(whole: Path, target: Path) -> None:
    """Into a folder that is there already (one that is mounted cannot be replaced), or all of it at once."""
    if whole.is_dir() and target.is_dir():
        for each in sorted(whole.iterdir()):
            there = target / each.name
            if there.is_dir() and not there.is_symlink():
                shutil.rmtree(there)
            os.replace(each, there)
    else:
        os.replace(whole, target)


def _summary(listing: Listing, contents: list[Content]) -> Fetched:
    size = sum(content.size for content in contents)
    if listing.single:
        return Fetched(1, size, contents[0].digest)
    whole = hashlib.sha256()
    for item, content in zip(listing.items, contents, strict=True):
        whole.update(f"{item.path}\0{content.digest}\0".encode())
    return Fetched(len(contents), size, whole.hexdigest())


def _shown(uri: str) -> str:
    return uri.partition("?")[0]
