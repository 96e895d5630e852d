"""Fetches models into folders, then ends: `python3 -m fairway.serving.storage URI FOLDER [URI FOLDER ...]`.

With `--remove FOLDER` it takes a folder away instead, whatever an earlier try has left of it.

Credentials are in the environment, under their usual names, or in STORAGE_CONFIG as KServe's storage block has them.
What goes wrong is one sentence on standard error and in the termination message; no secret is in either.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fairway.artifacts import fetching
from fairway.artifacts.failures import CannotFetch
from fairway.serving.storage.credentials import CONFIG, OVERRIDES, PLACEHOLDER

_BUCKETS = ("s3", "gs")
_VARIABLES = {
    "endpoint_url": "AWS_ENDPOINT_URL",
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "region": "AWS_DEFAULT_REGION",
    "ca_bundle": "AWS_CA_BUNDLE",
    "verify_ssl": "S3_VERIFY_SSL",
    "anonymous": "awsAnonymousCredential",
}
"""From the keys of KServe's storage secret to the variables that mean the same."""


def main(argv: Sequence[str] | None = None) -> int:
    options = _flags().parse_args(argv)
    if options.remove:
        return _remove(Path(options.remove))
    try:
        asyncio.run(_fetch_all(options, os.environ))
    except CannotFetch as reason:
        return _fail(str(reason))
    except OSError as failure:
        return _fail(f"The model cannot be written to its folder: {failure.strerror or failure}.")
    return 0


async def _fetch_all(options: argparse.Namespace, environment: Mapping[str, str]) -> None:
    if not options.pairs or len(options.pairs) % 2:
        raise CannotFetch("the arguments are pairs of an address and a folder")
    with tempfile.TemporaryDirectory() as private:
        storage = _storage(environment)
        credentials = {**environment, **_as_variables(storage, Path(private))}
        for uri, folder in zip(options.pairs[::2], options.pairs[1::2], strict=True):
            await _fetch(_whole(uri, storage), Path(folder), credentials, options)


async def _fetch(uri: str, folder: Path, credentials: Mapping[str, str], options: argparse.Namespace) -> None:
    begin = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    fetched = await fetching.fetch(
        uri,
        folder,
        credentials=credentials,
        allow=_patterns(credentials.get("STORAGE_ALLOW_PATTERNS")),
        ignore=_patterns(credentials.get("STORAGE_IGNORE_PATTERNS")),
        cache=Path(options.cache) if options.cache else None,
        mirrors=options.mirror,
    )
    shown, took = uri.partition("?")[0], time.monotonic() - begin
    print(f"Fetched {shown}: {fetched.files:,} files, {fetched.size:,} bytes, in {took:.1f} s", flush=True)


def _storage(environment: Mapping[str, str]) -> Mapping[str, Any]:
    """The storage block: one entry of the secret, and what the service says otherwise."""
    found: dict[str, Any] = {}
    for name in (CONFIG, OVERRIDES):
        try:
            found.update(json.loads(environment.get(name) or "{}"))
        except (ValueError, TypeError):
            text = "the entry of the storage secret" if name == CONFIG else "storage.parameters"
            raise CannotFetch(f"{text} is not a JSON object: write one, with type, bucket and so on") from None
    return found


def _whole(uri: str, storage: Mapping[str, Any]) -> str:
    """An address of which the service gave only the path, completed from the storage block."""
    if not uri.startswith(f"{PLACEHOLDER}://"):
        return uri
    path, kind = uri.partition("://")[2].lstrip("/"), storage.get("type")
    if not kind:
        raise CannotFetch(
            "the storage block does not say what it is: set type in the entry of the secret storage-config, "
            "or in storage.parameters"
        )
    if kind not in _BUCKETS:
        return f"{kind}://{path}"
    if not storage.get("bucket"):
        raise CannotFetch(f"the storage block of type {kind} has no bucket: set it in the entry of the secret")
    return f"{kind}://{storage['bucket']}/{path}"


def _as_variables(storage: Mapping[str, Any], private: Path) -> dict[str, str]:
    found = {name: _text(storage[key]) for key, name in _VARIABLES.items() if storage.get(key) not in (None, "")}
    certificate = storage.get("certificate")
    if certificate and "AWS_CA_BUNDLE" not in found:
        (private / "bundle.crt").write_text(str(certificate))
        found["AWS_CA_BUNDLE"] = str(private / "bundle.crt")
    return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _patterns(text: str | None) -> list[str]:
    """A JSON list, as KServe has it, or words with commas between."""
    if not text:
        return []
    with suppress(ValueError):
        found = json.loads(text)
        return [str(one) for one in found] if isinstance(found, list) else [str(found)]
    return [one.strip() for one in text.split(",") if one.strip()]


def _flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fairway.serving.storage", description="Fetches models into folders.")
    parser.add_argument("--cache", default="", help="a folder in which what was fetched is kept for others")
    parser.add_argument("--mirror", action="append", default=[], help="PREFIX=PLACE: addresses that are kept elsewhere")
    parser.add_argument("--remove", default="", metavar="FOLDER", help="take this folder away, and fetch nothing")
    parser.add_argument("pairs", nargs="*", metavar="URI FOLDER", help="an address, and where its files go")
    return parser


def _remove(folder: Path) -> int:
    """It loses its name at once: whoever is stopped in the middle leaves no half of a model for a whole one."""
    aside = folder.with_name(f".leaving-{folder.name}")
    try:
        if aside.exists():
            shutil.rmtree(aside)
        if folder.exists():
            folder.rename(aside)
            shutil.rmtree(aside)
    except OSError as failure:
        return _say(f"The folder {folder.name} cannot be taken away: {failure.strerror or failure}.")
    print(f"Removed {folder.name}", flush=True)
    return 0


def _fail(reason: str) -> int:
    return _say(f"The model cannot be fetched: {reason}")


def _say(sentence: str) -> int:
    """Where Kubernetes looks, and where people look."""
    print(sentence, file=sys.stderr, flush=True)
    if where := os.environ.get("FAIRWAY_TERMINATION_LOG"):
        with suppress(OSError):
            Path(where).write_text(sentence[:4096])
    return 1
