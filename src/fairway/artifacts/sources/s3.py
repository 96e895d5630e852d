"""Amazon S3 and whatever speaks it (MinIO, SeaweedFS, Ceph): credentials in the names of boto, KServe and KFP.

Nothing is taken from the server's own environment: obstore would read AWS_* there by itself, so everything that
decides who asks whom is said to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from obstore.store import S3Store

from fairway.artifacts.failures import CannotFetch
from fairway.artifacts.sources import endpoints
from fairway.artifacts.sources.words import on, timeouts

_REGION = re.compile(r"[A-Za-z0-9-]{1,63}")
_ROLES = {
    "role_arn": "AWS_ROLE_ARN",
    "role_session_name": "AWS_ROLE_SESSION_NAME",
    "web_identity_token_file": "AWS_WEB_IDENTITY_TOKEN_FILE",
    "container_credentials_relative_uri": "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "container_credentials_full_uri": "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "container_authorization_token_file": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
}
"""Who a pod on AWS is, as the cloud tells it."""


def store(bucket: str, credentials: Mapping[str, str], *, prefix: str = "") -> S3Store:
    """Without keys and without a role, requests are not signed: public buckets can be read. Raises CannotFetch."""
    region = credentials.get("AWS_REGION") or credentials.get("AWS_DEFAULT_REGION") or "us-east-1"
    if not _REGION.fullmatch(region):
        raise CannotFetch(f"the region {region!r} is none: write one such as us-east-1")
    address = endpoint(credentials)
    virtual = on(credentials.get("S3_USER_VIRTUAL_BUCKET")) or not address
    config: dict[str, Any] = {"region": region, "virtual_hosted_style_request": virtual}
    if address:
        config["endpoint"] = _with_bucket(address, bucket) if virtual else address
    else:
        config["endpoint"] = f"https://{bucket}.s3.{region}.amazonaws.com"
    provider = _keys(credentials)
    if provider is None:
        config.update(_role(credentials) or {"skip_signature": True})
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=_untyped(config),
        client_options=_client(credentials, address),
        credential_provider=provider,
        retry_config=timeouts(),
    )


def endpoint(credentials: Mapping[str, str]) -> str:
    """The address of the store; empty for Amazon's own. Raises CannotFetch."""
    given = (
        credentials.get("AWS_ENDPOINT_URL_S3") or credentials.get("AWS_ENDPOINT_URL") or credentials.get("S3_ENDPOINT")
    )
    if not given:
        return ""
    if "://" in given:
        return endpoints.checked(given.rstrip("/"))
    scheme = "https" if on(credentials.get("S3_USE_HTTPS", "1")) else "http"
    return endpoints.checked(f"{scheme}://{given.rstrip('/')}")


def _role(credentials: Mapping[str, str]) -> dict[str, Any]:
    return {key: credentials[name] for key, name in _ROLES.items() if credentials.get(name)}


def _untyped(config: Any) -> Any:
    """The checker reads a type of obstore that is not there at run time."""
    return config


def _keys(credentials: Mapping[str, str]) -> Any:
    key, secret = credentials.get("AWS_ACCESS_KEY_ID", ""), credentials.get("AWS_SECRET_ACCESS_KEY", "")
    if not key or on(credentials.get("awsAnonymousCredential")):
        return None
    if not secret:
        raise CannotFetch("the credentials have AWS_ACCESS_KEY_ID and lack AWS_SECRET_ACCESS_KEY: give both")
    token = credentials.get("AWS_SESSION_TOKEN") or None
    return lambda: {"access_key_id": key, "secret_access_key": secret, "token": token, "expires_at": None}


def _client(credentials: Mapping[str, str], address: str) -> Any:
    options: dict[str, Any] = {"allow_http": address.startswith("http://"), "timeout": None, "read_timeout": "60s"}
    if not on(credentials.get("S3_VERIFY_SSL", "1")):
        options["allow_invalid_certificates"] = True
    elif bundle := credentials.get("AWS_CA_BUNDLE"):
        try:
            options["root_certificate"] = Path(bundle).read_bytes()
        except OSError as failure:
            raise CannotFetch(f"the certificates in AWS_CA_BUNDLE ({bundle}) cannot be read") from failure
    return {key: value for key, value in options.items() if value is not None}


def _with_bucket(address: str, bucket: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{bucket}.{parts.netloc}"
