"""Looks around an InferenceService: runtimes, storage containers, and the secrets that its models may need.

Of secrets only the names of their keys are taken, and the host that https-host names.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator

from fairway.kernel.client.client import Client
from fairway.kernel.control.controller import World
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import SECRET, SERVICE_ACCOUNT, Object
from fairway.serving.caches.kinds import LOCAL_MODEL_CACHE, LOCAL_MODEL_NAMESPACE_CACHE
from fairway.serving.pods import models
from fairway.serving.pods.models import Storage
from fairway.serving.reading import Surroundings
from fairway.serving.render.place import Place
from fairway.serving.runtimes.kinds import CLUSTER_SERVING_RUNTIME, SERVING_RUNTIME
from fairway.serving.runtimes.selection import Runtimes
from fairway.serving.storage import credentials
from fairway.serving.storage.containers import Stores
from fairway.serving.storage.credentials import Keys
from fairway.serving.storage.kinds import CLUSTER_STORAGE_CONTAINER


async def gather(world: World, isvc: Object, place: Place) -> Surroundings:
    namespace = meta.namespace(isvc)
    stores = Stores(place.mirrors, place.model_cache, world.mirror(CLUSTER_STORAGE_CONTAINER).all())
    named = meta.annotations(isvc).get(credentials.STORAGE_SECRET_ANNOTATION) or ""
    secrets_of = {
        account: tuple([one async for one in secrets(world.client, namespace, account, named=named)])
        for account in sorted(models.accounts(isvc, stores))
    }
    runtimes = Runtimes(world.mirror(SERVING_RUNTIME).all(namespace), world.mirror(CLUSTER_SERVING_RUNTIME).all())
    caches = (*world.mirror(LOCAL_MODEL_NAMESPACE_CACHE).all(namespace), *world.mirror(LOCAL_MODEL_CACHE).all())
    return Surroundings(runtimes, Storage(stores, secrets_of, caches))


async def secrets(client: Client, namespace: str, account: str, *, named: str = "") -> AsyncIterator[Keys]:
    """Those that the account lists, or the one that is named instead."""
    names = [named] if named else []
    if not names and (found := await client.find(SERVICE_ACCOUNT, account, namespace)):
        names = [one["name"] for one in found.get("secrets") or ()]
    for name in names:
        if secret := await client.find(SECRET, name, namespace):
            yield _without_values(secret)


def _without_values(secret: Object) -> Keys:
    data = secret.get("data") or {}
    try:
        host = base64.b64decode(data.get("https-host") or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        host = ""
    return Keys(meta.name(secret), frozenset(data), meta.annotations(secret), host.strip())
