"""What a fetching container is given so that it may read: KServe's secrets, by reference. Pure.

No value of a secret is in any object: the container's variables and volumes name the secret and the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

STORAGE_SECRET = "storage-config"  # noqa: S105 - the name of the object
STORAGE_SECRET_ANNOTATION = "serving.kserve.io/storageSecretName"  # noqa: S105
CONFIG, OVERRIDES = "STORAGE_CONFIG", "STORAGE_OVERRIDE_CONFIG"
PLACEHOLDER = "storage-spec"
"""The scheme of an address of which only the path is known; STORAGE_CONFIG has the rest."""

_PREFIX = "serving.kserve.io/"
_S3_KEYS = (("awsAccessKeyID", "awsSecretAccessKey"), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
"""Upstream's default in the code, and that of its configuration, which its own client follows."""
_S3_SETTINGS = {
    "s3-region": "AWS_DEFAULT_REGION",
    "s3-usehttps": "S3_USE_HTTPS",
    "s3-verifyssl": "S3_VERIFY_SSL",
    "s3-usevirtualbucket": "S3_USER_VIRTUAL_BUCKET",
    "s3-useaccelerate": "S3_USE_ACCELERATE",
    "s3-useanoncredential": "awsAnonymousCredential",
    "s3-cabundle": "AWS_CA_BUNDLE",
}
_AZURE = (
    "AZURE_SUBSCRIPTION_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_ACCESS_TOKEN", "AZURE_ACCESS_EXPIRES_ON_SECONDS", "AZURE_ACCOUNT_NAME", "AZURE_SERVICE_URL",
)  # fmt: skip
_GCS_FILE, _GCS_FOLDER = "gcloud-application-credentials.json", "/var/secrets"
_BUNDLE_FOLDER = "/etc/ssl/custom-certs"
_HTTPS_HOST = "https-host"
_TOKEN = "HF_TOKEN"  # noqa: S105 - the name of a key


@dataclass(frozen=True, slots=True)
class Keys:
    """What is known of a secret without its values. `host` is that of its key https-host, which is no secret."""

    name: str
    keys: frozenset[str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    host: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """Variables and mounts of the container, and volumes of its pod."""

    env: tuple[Object, ...] = ()
    mounts: tuple[Object, ...] = ()
    volumes: tuple[Object, ...] = ()


def of_secrets(secrets: Iterable[Keys]) -> Given:
    """Those of the pod's service account, each told by its keys."""
    env: list[Object] = []
    mounts: list[Object] = []
    volumes: list[Object] = []
    for secret in secrets:
        if names := next((pair for pair in _S3_KEYS if pair[1] in secret.keys), None):
            env += _s3(secret, *names)
            bundle = _setting(secret, "s3-cabundle-configmap")
            if bundle:
                mounts.append({"name": "cabundle", "mountPath": _BUNDLE_FOLDER, "readOnly": True})
                volumes.append({"name": "cabundle", "configMap": {"name": bundle}})
        elif _GCS_FILE in secret.keys:
            env.append({"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": f"{_GCS_FOLDER}/{_GCS_FILE}"})
            mounts.append({"name": "user-gcp-sa", "mountPath": _GCS_FOLDER, "readOnly": True})
            volumes.append({"name": "user-gcp-sa", "secret": {"secretName": secret.name}})
        else:
            env += _others(secret)
    return Given(tuple({entry["name"]: entry for entry in env}.values()), tuple(mounts), tuple(volumes))


def of_storage(isvc: Object, key: str, overrides: Mapping[str, str], text: str) -> Given:
    """KServe's storage block: one key of the secret storage-config. `text` is the overrides as JSON."""
    secret = meta.annotations(isvc).get(STORAGE_SECRET_ANNOTATION) or STORAGE_SECRET
    kind = overrides.get("type") or ""
    chosen = key or (f"default_{kind}" if kind else "default")
    reference: Object = {"name": secret, "key": chosen}
    if not key:
        reference["optional"] = True
    env: list[Object] = [{"name": CONFIG, "valueFrom": {"secretKeyRef": reference}}]
    if overrides:
        env.append({"name": OVERRIDES, "value": text})
    return Given(tuple(env))


def _s3(secret: Keys, key: str, secret_key: str) -> Iterable[Object]:
    yield _reference(secret, "AWS_ACCESS_KEY_ID", key)
    yield _reference(secret, "AWS_SECRET_ACCESS_KEY", secret_key)
    for annotation, variable in _S3_SETTINGS.items():
        if value := _setting(secret, annotation):
            yield {"name": variable, "value": value}
    if endpoint := _setting(secret, "s3-endpoint"):
        scheme = "http" if _setting(secret, "s3-usehttps") == "0" else "https"
        yield {"name": "S3_ENDPOINT", "value": endpoint}
        yield {"name": "AWS_ENDPOINT_URL", "value": endpoint if "://" in endpoint else f"{scheme}://{endpoint}"}
    if _setting(secret, "s3-cabundle-configmap") and not _setting(secret, "s3-cabundle"):
        yield {"name": "AWS_CA_BUNDLE", "value": f"{_BUNDLE_FOLDER}/cabundle.crt"}


def _others(secret: Keys) -> Iterable[Object]:
    for name in _AZURE:
        legacy = name.replace("AZURE_", "AZ_", 1)
        key = next((one for one in (legacy, name) if one in secret.keys), None)
        if key:
            yield _reference(secret, name, key)
    if _TOKEN in secret.keys:
        yield _reference(secret, _TOKEN, _TOKEN)
    if secret.host and "headers" in secret.keys:
        yield _reference(secret, f"{secret.host}-headers", "headers")


def _reference(secret: Keys, variable: str, key: str) -> Object:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret.name, "key": key}}}


def _setting(secret: Keys, name: str) -> str:
    return secret.annotations.get(_PREFIX + name) or ""
