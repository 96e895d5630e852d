"""The object stores that runs read from and write to, with the credentials of whoever the run belongs to.

A namespace says in the ConfigMap `kfp-launcher` how its stores are reached (`providers`). The platform's own
credentials count for its own artifacts, for what `own_credentials_for` lists, and where a namespace's provider asks for
them and the list allows it; nobody reads with them what its owner did not open. Mirrors of the settings come first.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fairway.artifacts import fetching, mirrors
from fairway.artifacts.failures import CannotFetch
from fairway.artifacts.fetching import Fetched
from fairway.artifacts.settings import ArtifactsSettings
from fairway.artifacts.sources.buckets import SCHEMES
from fairway.artifacts.store import Artifacts, open_store
from fairway.kernel.client.client import Client
from fairway.kernel.objects.kinds import CONFIG_MAP, SECRET
from fairway.pipelines import providers
from fairway.pipelines.providers import BadProvider, Provider

log = logging.getLogger(__name__)

_LARGEST = 1 << 62


@dataclass(frozen=True)
class Stores:
    settings: ArtifactsSettings = field(default_factory=ArtifactsSettings)
    root: str = ""
    """Where the artifacts of all runs are kept, if that is a bucket."""
    cache: Path | None = None
    """Where what was fetched is found again."""

    async def fetch(self, client: Client, namespace: str, uri: str, target: Path) -> Fetched:
        """Bring an artifact; a single file becomes the target. Raises CannotFetch."""
        credentials = await self.credentials(client, namespace, uri)
        return await fetching.fetch(
            uri, target, credentials=credentials, cache=self.cache, mirrors=self.settings.mirrors, as_file=True
        )

    async def adopt(self, client: Client, namespace: str, uri: str, path: Path) -> None:
        """The file or folder at `path` is what was just put there: the cache may have it. It may be gone afterwards."""
        if self.cache is not None:
            credentials = await self.credentials(client, namespace, uri)
            await fetching.adopt(uri, path, credentials=credentials, cache=self.cache, mirrors=self.settings.mirrors)

    async def open(self, client: Client, namespace: str, uri: str) -> tuple[Artifacts, str]:
        """The bucket (or the folder that mirrors it) of an address, and the address in it. Raises OSError."""
        kept_at = mirrors.resolved(uri, self.settings.mirrors)
        if kept_at.startswith(("/", "file://")):
            path = Path(kept_at.removeprefix("file://"))
            return await asyncio.to_thread(_open_beside, path), f"file://{path}"
        try:
            credentials = await self.credentials(client, namespace, uri)
        except CannotFetch as refused:
            raise PermissionError(str(refused)) from refused
        scheme, _, rest = kept_at.partition("://")
        if scheme not in SCHEMES:
            raise PermissionError(f"{uri} is kept in no bucket and in no folder here, and is not read")
        root = f"{scheme}://{rest.partition('/')[0]}"
        return await asyncio.to_thread(open_store, root, credentials), kept_at

    async def keeps(self, client: Client, namespace: str, uris: Iterable[str]) -> bool:
        """Whether there are bytes at each of the addresses. What cannot be looked at does not count."""
        for uri in uris:
            try:
                store, address = await self.open(client, namespace, uri)
                if await store.extent(address, most=_LARGEST) is None:
                    return False
            except OSError as failure:
                log.warning("%s cannot be looked at, and does not count: %s", uri, failure)
                return False
        return True

    async def default_root(self, client: Client, namespace: str) -> str:
        """Where a run keeps its artifacts that does not say it; empty for the platform's folder."""
        config = await self._config(client, namespace)
        return str(config.get(providers.ROOT) or self.root).rstrip("/")

    async def credentials(self, client: Client, namespace: str, uri: str) -> dict[str, str]:
        """By their usual names. Raises CannotFetch where the namespace says something that cannot be used."""
        own = self._own(uri)
        if self.root and _under(uri, self.root):
            return own
        try:
            found = providers.find(await self._config(client, namespace), uri)
            if found is None and uri.startswith("minio://"):
                found = Provider(secret=providers.MINIO_SECRET, keys=providers.MINIO_KEYS)
                secret = await self._secret(client, namespace, found.secret)
                return {**own, **(found.credentials(secret) if secret is not None else {})}
            if found is None:
                return own
            if found.own:
                return {**own, **found.values}
            secret = await self._secret(client, namespace, found.secret)
            if secret is None:
                raise BadProvider(f"the secret {found.secret!r} that the ConfigMap {providers.CONFIG} names is missing")
            return found.credentials(secret)
        except BadProvider as wrong:
            raise CannotFetch(f"{uri} cannot be reached from the namespace {namespace}: {wrong}") from wrong

    def _own(self, uri: str) -> dict[str, str]:
        opened = (*self.settings.own_credentials_for, *((self.root,) if self.root else ()))
        allowed = any(prefix == "*" or _under(uri, prefix.rstrip("/")) for prefix in opened)
        return self.settings.credentials() if allowed else {}

    async def _config(self, client: Client, namespace: str) -> Mapping[str, str]:
        found = await client.find(CONFIG_MAP, providers.CONFIG, namespace)
        return (found or {}).get("data") or {}

    async def _secret(self, client: Client, namespace: str, name: str) -> dict[str, str] | None:
        found = await client.find(SECRET, name, namespace)
        if found is None:
            return None
        # Keys that are none of ours may hold anything: what is no text is no credential.
        data = (found.get("data") or {}).items()
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in data}


def _open_beside(path: Path) -> Artifacts:
    """The folder that holds it, or would: nothing is made by looking."""
    folder = next(parent for parent in path.parents if parent.is_dir())
    return open_store(folder.as_uri())


def _under(uri: str, prefix: str) -> bool:
    return uri == prefix or uri.startswith(f"{prefix}/")
