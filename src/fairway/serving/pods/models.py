"""Which models a component asks for, from all the fields in which KServe lets one say it; and what is wrong. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from posixpath import commonpath
from typing import Any

from fairway.kernel.objects.kinds import Object
from fairway.serving.caches import matching
from fairway.serving.component import ROLES
from fairway.serving.pods import containers
from fairway.serving.pods.places import Model, Wanted
from fairway.serving.runtimes.built_in import MODEL_DIR
from fairway.serving.spec import defaults
from fairway.serving.storage import containers as fetchers
from fairway.serving.storage import credentials, uris
from fairway.serving.storage.containers import Stores
from fairway.serving.storage.credentials import PLACEHOLDER, Given, Keys

STORAGE_URI = "STORAGE_URI"
HUGGING_FACE = "huggingface"

_WITH_STORAGE = ("s3", "hdfs", "webhdfs")
"""Schemes of a storageUri that may have a storage block beside it, for its credentials."""


@dataclass(frozen=True)
class Storage:
    """What of the platform decides how models are fetched. `secrets` by the service account that lists them."""

    stores: Stores = field(default_factory=Stores)
    secrets: Mapping[str, tuple[Keys, ...]] = field(default_factory=dict)
    caches: Sequence[Object] = ()
    """The local model caches that may have a model of the service."""


def wanted(isvc: Object, part: Object, block: Mapping[str, Any], server: Object, storage: Storage) -> Wanted | None:
    """`block` is the model's, or empty where `server` is the user's own container. None where no model is named."""
    found = tuple(replace(one, uri=_cached(one.uri, isvc, storage)) for one in _models(part, block, server))
    if not found:
        return None
    return Wanted(found, storage.stores, _given(isvc, part, block, storage), part.get("storageContainerName") or "")


def mistakes(part: Object, block: Mapping[str, Any], where: str, *, in_model: str, stores: Stores) -> Iterator[str]:
    """`where` is the component's field, and `in_model` that of its model where it has one."""
    given = part.get("storageUris") or []
    named = block.get("storageUri")
    if named and given:
        yield f"{where}: storageUri and storageUris cannot be set both; leave one out."
    yield from _about_several(given, f"{where}.storageUris")
    for number, one in enumerate(given):
        yield from _about(one.get("uri"), f"{where}.storageUris[{number}].uri", stores)
    if named:
        yield from _about(named, f"{in_model}.storageUri", stores)
    for number, container in enumerate(part.get("containers") or ()):
        if uri := containers.variable(container, STORAGE_URI):
            yield from _about_container(container, uri, f"{where}.containers[{number}]", stores)
    yield from _about_storage(block, in_model)


def is_multi_model(part: Object, block: Mapping[str, Any]) -> bool:
    """A predictor that names no model is there for TrainedModels, as upstream has it."""
    if (block.get("modelFormat") or {}).get("name") == HUGGING_FACE:
        return False
    return not (block.get("storageUri") or block.get("storage") or part.get("storageUris"))


def says_multi_model(container: Object) -> bool:
    """Of a container of the user's own."""
    return (containers.variable(container, "MULTI_MODEL_SERVER") or "").lower() == "true"


def accounts(isvc: Object, stores: Stores) -> set[str]:
    """The service accounts whose secrets are needed: those of components whose models come from elsewhere."""
    found: set[str] = set()
    for role in ROLES:
        part = (isvc.get("spec") or {}).get(role) or {}
        _, block = defaults.model(part) or ("", {})
        server = block or next(iter(part.get("containers") or ()), {})
        asked = tuple(_models(part, block, server))
        if any(_is_fetched(model, stores) for model in asked) or (block and not asked):
            found.add(account(part))
        if kept := (part.get("logger") or {}).get("storage"):
            found.add(kept.get("serviceAccountName") or account(part))
    return found


def uris_of(isvc: Object) -> Iterator[str]:
    """The addresses of all models of a service."""
    for role in ROLES:
        part = (isvc.get("spec") or {}).get(role) or {}
        _, block = defaults.model(part) or ("", {})
        yield from (one.uri for one in _models(part, block, block or next(iter(part.get("containers") or ()), {})))


def account(part: Object) -> str:
    return str(part.get("serviceAccountName") or "default")


def _cached(uri: str, isvc: Object, storage: Storage) -> str:
    """A model that a cache has is mounted from there."""
    found = matching.find(uri, isvc, storage.caches)
    return f"pvc://{found.claim}/{found.path}" if found else uri


def _is_fetched(model: Model, stores: Stores) -> bool:
    return bool(fetchers.taken(model.uri, stores.containers)) or isinstance(
        uris.source(model.uri, stores.mirrors), uris.Remote
    )


def _models(part: Object, block: Mapping[str, Any], server: Object) -> Iterator[Model]:
    if part.get("storageUris"):
        for one in part["storageUris"]:
            yield Model(one["uri"], (one.get("mountPath") or MODEL_DIR).rstrip("/"))
    elif block.get("storageUri"):
        yield Model(block["storageUri"])
    elif (block.get("storage") or {}).get("path"):
        yield Model(f"{PLACEHOLDER}://{block['storage']['path']}")
    elif not block and (uri := containers.variable(server, STORAGE_URI)):
        yield Model(uri)
    elif (name := containers.argument(server, "--model_id")) and not name.startswith("/"):
        revision = containers.argument(server, "--model_revision")
        yield Model(f"hf://{name}:{revision}" if revision else f"hf://{name}")


def _given(isvc: Object, part: Object, block: Mapping[str, Any], storage: Storage) -> Given:
    asked = block.get("storage")
    if asked:
        overrides = {str(key): str(value) for key, value in (asked.get("parameters") or {}).items()}
        return credentials.of_storage(isvc, asked.get("key") or "", overrides, json.dumps(overrides, sort_keys=True))
    return credentials.of_secrets(storage.secrets.get(part.get("serviceAccountName") or "default", ()))


def _about(uri: str | None, where: str, stores: Stores) -> Iterator[str]:
    if not uri or not fetchers.taken(uri, stores.containers):
        yield from uris.mistakes(uri, where, stores.mirrors)


def _about_container(container: Object, uri: str, where: str, stores: Stores) -> Iterator[str]:
    if container.get("name") == containers.TRANSFORMER:
        yield f"{where}: a transformer beside the model may not have {STORAGE_URI}; it finds the model's files mounted."
    else:
        yield from _about(uri, f"{where}: {STORAGE_URI}", stores)


def _about_several(given: list[Object], where: str) -> Iterator[str]:
    folders = [one.get("mountPath") or MODEL_DIR for one in given]
    for folder in folders:
        if not folder.startswith("/") or ".." in folder or folder == "/":
            yield f"{where}: mountPath {folder!r} must be an absolute path below the root, without '..'."
            return
    if len(set(folders)) < len(folders):
        yield f"{where}: two models have the same mountPath; give each its own."
    elif len(folders) > 1 and commonpath(folders) == "/":
        yield f"{where}: the mountPaths {', '.join(folders)} have no folder in common; put them below one."


def _about_storage(block: Mapping[str, Any], where: str) -> Iterator[str]:
    asked, named = block.get("storage"), block.get("storageUri")
    if not asked:
        return
    known = {"path", "key", "parameters", "schemaPath"}
    for name in sorted(asked.keys() - known):
        yield f"{where}.storage.{name} is not known; remove it."
    if asked.get("schemaPath"):
        yield f"{where}.storage.schemaPath is not supported; remove it: the model's own signature is used."
    if named and asked.get("path"):
        yield f"{where}: storageUri and storage.path cannot be set both; leave one out."
    elif named and not named.startswith(tuple(f"{scheme}://" for scheme in _WITH_STORAGE)):
        yield f"{where}.storage goes with storageUris of s3:// only; remove it, or set storage.path instead."
    elif not named and not asked.get("path"):
        yield f"{where}.storage.path is missing; set it to the path within the bucket."
