"""What a namespace says of its object stores: the ConfigMap `kfp-launcher`, in KFP's own words.

`defaultPipelineRoot` is where its runs keep their artifacts, `providers` says by which endpoint and with which secret a
store is reached: for s3, minio and gs a default, and `Overrides` for single buckets and prefixes. Pure: `stores` reads
the objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

CONFIG = "kfp-launcher"
ROOT = "defaultPipelineRoot"
GOOGLE_KEY = "GOOGLE_APPLICATION_CREDENTIALS"
MINIO_SECRET = "mlpipeline-minio-artifact"  # noqa: S105 - the name of upstream's secret
MINIO_KEYS = {"accesskey": "AWS_ACCESS_KEY_ID", "secretkey": "AWS_SECRET_ACCESS_KEY"}


class BadProvider(Exception):
    """The ConfigMap does not say what it must. The text names the place."""


@dataclass(frozen=True, slots=True)
class Provider:
    """`values` are settings by the names of credentials; `secret` holds the others, by key."""

    own: bool = False
    """The platform's own credentials count (`fromEnv`)."""
    values: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)

    def credentials(self, secret: Mapping[str, str]) -> dict[str, str]:
        """Raises BadProvider for a key that the secret lacks."""
        missing = sorted(key for key in self.keys if key not in secret)
        if missing:
            raise BadProvider(f"the secret {self.secret!r} has no {', '.join(map(repr, missing))}")
        found = {name: secret[key] for key, name in self.keys.items()}
        if not found.get(GOOGLE_KEY, "{").lstrip().startswith("{"):
            # Elsewhere it may be a path, which here would be one of the server's own.
            raise BadProvider(f"the secret {self.secret!r} must hold the service account's key itself, as JSON")
        return {**self.values, **found}


def find(config: Mapping[str, str], uri: str) -> Provider | None:
    """What is said of the store of that address; None where nothing is. Raises BadProvider."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    said = _read(config).get(scheme)
    if not said:
        return None
    if not isinstance(said, dict):
        raise BadProvider(f"{scheme} in the ConfigMap {CONFIG} is {said!r}, and no provider")
    default = _part(said, "default", f"{scheme}.default")
    overrides = said.get("Overrides") or said.get("overrides") or []
    if not isinstance(overrides, list) or not all(isinstance(each, dict) for each in overrides):
        raise BadProvider(f"{scheme}.Overrides in the ConfigMap {CONFIG} is no list of providers")
    for each in overrides:
        if each.get("bucketName") == bucket and key.startswith(str(each.get("keyPrefix") or "")):
            return _provider(scheme, {**default, **each}, f"{scheme}.Overrides")
    return _provider(scheme, default, f"{scheme}.default")


def _read(config: Mapping[str, str]) -> dict[str, Any]:
    try:
        found = yaml.safe_load(config.get("providers") or "")
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise BadProvider(f"providers in the ConfigMap {CONFIG} is not YAML: {wrong}") from wrong
    except (ArithmeticError, AttributeError, LookupError, TypeError) as wrong:  # of PyYAML, for `!!bool x` and its like
        raise BadProvider(f"providers in the ConfigMap {CONFIG} has a value that is not what its tag says") from wrong
    if found is not None and not isinstance(found, dict):
        raise BadProvider(f"providers in the ConfigMap {CONFIG} is no mapping of schemes")
    return found or {}


def _provider(scheme: str, said: Mapping[str, Any], where: str) -> Provider:
    credentials = _part(said, "credentials", where)
    if scheme == "gs":
        names, values = {"tokenKey": GOOGLE_KEY}, dict[str, str]()
    else:
        names = {"accessKeyKey": "AWS_ACCESS_KEY_ID", "secretKeyKey": "AWS_SECRET_ACCESS_KEY"}
        values = _s3(said)
    if credentials.get("fromEnv") in (True, "true"):
        return Provider(own=True, values=values)
    reference = _part(credentials, "secretRef", f"{where}.credentials")
    absent = [name for name in ("secretName", *names) if not reference.get(name)]
    if absent:
        raise BadProvider(f"{where}.credentials.secretRef in the ConfigMap {CONFIG} lacks {', '.join(absent)}")
    keys = {str(reference[ours]): name for ours, name in names.items()}
    return Provider(values=values, secret=str(reference["secretName"]), keys=keys)


def _s3(said: Mapping[str, Any]) -> dict[str, str]:
    values = {}
    if endpoint := str(said.get("endpoint") or ""):
        plain = said.get("disableSSL") in (True, "true")
        values["AWS_ENDPOINT_URL"] = endpoint if "://" in endpoint else f"{'http' if plain else 'https'}://{endpoint}"
    if said.get("region"):
        values["AWS_REGION"] = str(said["region"])
    if said.get("forcePathStyle") in (False, "false"):
        values["S3_USER_VIRTUAL_BUCKET"] = "true"
    return values


def _part(said: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    found = said.get(name)
    if not isinstance(found, dict):
        raise BadProvider(f"{where} in the ConfigMap {CONFIG} lacks {name}")
    return found
