"""How a webhook is reached: what is wrong with a clientConfig, wherever it stands (admission, conversion)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from urllib.parse import urlsplit

from cryptography import x509

from fairway.cluster.api.checks import causes
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object


def client_config(config: Object, at: str) -> Iterator[Cause]:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        yield causes.required(at, "exactly one of url or service is required")
    elif url is not None:
        yield from _url(str(url), f"{at}.url")
    else:
        yield from _service(service or {}, f"{at}.service")
    if config.get("caBundle"):
        yield from _bundle(str(config["caBundle"]), f"{at}.caBundle")


def _url(url: str, at: str) -> Iterator[Cause]:
    form = "; desired format: https://host[/path]"
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as problem:
        yield causes.invalid(at, url, f"url must be a valid URL: {problem}{form}")
        return
    if parts.scheme != "https":
        yield causes.invalid(at, parts.scheme, f"'https' is the only allowed URL scheme{form}")
    if not host:
        yield causes.invalid(at, url, f"host must be specified{form}")
    if parts.username is not None:
        yield causes.invalid(at, url, "user information is not permitted in the URL")
    if parts.fragment:
        yield causes.invalid(at, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        yield causes.invalid(at, parts.query, "query parameters are not permitted in the URL")


def _service(service: Object, at: str) -> Iterator[Cause]:
    for key, what in (("name", "service name"), ("namespace", "service namespace")):
        if not service.get(key):
            yield causes.required(f"{at}.{key}", f"{what} is required")
    port = service.get("port", 443)
    if not isinstance(port, int) or not 1 <= port <= 65535:
        yield causes.invalid(f"{at}.port", port, "port is not valid: must be between 1 and 65535, inclusive")
    path = str(service.get("path") or "")
    if path and not path.startswith("/"):
        yield causes.invalid(f"{at}.path", path, "must start with a '/'")
    if "?" in path or "#" in path or "//" in path:
        yield causes.invalid(f"{at}.path", path, "must be a path without query, fragment and empty segments")


def _bundle(bundle: str, at: str) -> Iterator[Cause]:
    try:
        pem = base64.b64decode(bundle, validate=True)
        if pem.strip():
            x509.load_pem_x509_certificates(pem)
    except (binascii.Error, ValueError):
        yield Cause(at, "Invalid value: unable to load root certificates: unable to parse bytes as PEM block")
