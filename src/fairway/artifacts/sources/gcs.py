"""Google Cloud Storage. Without a service account's key, requests are not signed: public buckets can be read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from obstore.store import GCSStore

from fairway.artifacts.failures import CannotFetch
from fairway.artifacts.sources import endpoints
from fairway.artifacts.sources.words import timeouts


def store(bucket: str, credentials: Mapping[str, str], *, prefix: str = "") -> GCSStore:
    """GOOGLE_APPLICATION_CREDENTIALS is the path of a key or the key itself, as a secret has it. Raises CannotFetch."""
    given = credentials.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    config: Any = {"service_account_key": _key(given)} if given else {"skip_signature": True}
    emulator = endpoint(credentials)
    if emulator:
        config["base_url"] = endpoints.checked(emulator if "://" in emulator else f"http://{emulator}")
    return GCSStore(
        bucket,
        prefix=prefix or None,
        config=config,
        client_options={"allow_http": config.get("base_url", "").startswith("http://"), "read_timeout": "60s"},
        retry_config=timeouts(),
    )


def endpoint(credentials: Mapping[str, str]) -> str:
    return credentials.get("STORAGE_EMULATOR_HOST", "")


def _key(given: str) -> str:
    if given.lstrip().startswith("{"):
        return given
    try:
        return Path(given).read_text()
    except (OSError, ValueError) as failure:
        raise CannotFetch(f"the key in GOOGLE_APPLICATION_CREDENTIALS ({given}) cannot be read") from failure
