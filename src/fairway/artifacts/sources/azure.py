"""Azure Blob Storage: az://container/name, abfs://container@account..., and the https addresses of blobs.

Without a key, a service principal or a signature in the address, requests are not signed: public containers can be
read. Azure's file shares (file.core.windows.net) are another service, and refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from obstore.store import AzureStore

from fairway.artifacts.failures import CannotFetch
from fairway.artifacts.sources import endpoints
from fairway.artifacts.sources.words import timeouts

_BLOB = re.compile(r"(?P<account>[^./]+)\.(z\d{1,2}\.)?blob\.(core\.windows\.net|storage\.azure\.net)")
_FILES = re.compile(r"[^./]+\.(z\d{1,2}\.)?file\.(core\.windows\.net|storage\.azure\.net)")


@dataclass(frozen=True, slots=True)
class Place:
    account: str
    container: str
    key: str
    signature: str = ""
    """A shared access signature that the address carries."""


def is_blob(uri: str) -> bool:
    """Whether an https address is Azure's. Raises CannotFetch for one of its file shares."""
    host = urlsplit(uri).hostname or ""
    if _FILES.fullmatch(host):
        raise CannotFetch(f"{uri.partition('?')[0]} is a file share of Azure, which is not read here: use blob storage")
    return bool(_BLOB.fullmatch(host))


def place(uri: str, credentials: Mapping[str, str]) -> Place:
    """Raises CannotFetch for an address without a container, or without an account anywhere."""
    parts = urlsplit(uri)
    named = credentials.get("AZURE_STORAGE_ACCOUNT_NAME") or credentials.get("AZURE_STORAGE_ACCOUNT") or ""
    path = unquote(parts.path).lstrip("/")
    if parts.scheme == "https":
        match = _BLOB.fullmatch(parts.hostname or "")
        container, _, key = path.partition("/")
        found = Place(match["account"] if match else "", container, key, parts.query)
    elif "@" in parts.netloc:
        container, _, host = parts.netloc.partition("@")
        found = Place(host.partition(".")[0], container, path)
    else:
        found = Place(named, parts.netloc, path)
    if not found.container or not found.account:
        raise CannotFetch(
            f"{uri.partition('?')[0]} does not say which container of which account: write "
            "https://ACCOUNT.blob.core.windows.net/CONTAINER/NAME, or set AZURE_STORAGE_ACCOUNT_NAME"
        )
    return found


def store(where: Place, credentials: Mapping[str, str], *, prefix: str = "") -> AzureStore:
    address = endpoint(credentials)
    config: Any = {"account_name": where.account, **_identity(where, credentials)}
    if address:
        config["endpoint"] = endpoints.checked(address)
    return AzureStore(
        where.container,
        prefix=prefix or None,
        config=config,
        client_options={"allow_http": address.startswith("http://"), "read_timeout": "60s"},
        retry_config=timeouts(),
    )


def endpoint(credentials: Mapping[str, str]) -> str:
    return credentials.get("AZURE_STORAGE_ENDPOINT", "")


def _identity(where: Place, credentials: Mapping[str, str]) -> dict[str, Any]:
    def given(*names: str) -> str:
        return next((credentials[name] for name in names if credentials.get(name)), "")

    if where.signature:
        return {"sas_key": where.signature}
    if key := given("AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY"):
        return {"account_key": key}
    if signature := given("AZURE_STORAGE_SAS_TOKEN"):
        return {"sas_key": signature}
    client = given("AZURE_CLIENT_ID", "AZ_CLIENT_ID")
    if client:
        return {
            "client_id": client,
            "client_secret": given("AZURE_CLIENT_SECRET", "AZ_CLIENT_SECRET"),
            "tenant_id": given("AZURE_TENANT_ID", "AZ_TENANT_ID"),
        }
    return {"skip_signature": True}
