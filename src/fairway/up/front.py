"""What stands in front of the seam: the features and the front door, against any cluster.

It gets a client and cannot tell an embedded cluster from a real one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager

from fairway.artifacts.settings import ArtifactsSettings
from fairway.features import FEATURES
from fairway.front.build import Front, FrontConfig
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.control.running import start_controllers, start_service
from fairway.kernel.feature import Parts, Platform
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.conditions import is_true
from fairway.kernel.objects.crds import CustomKind
from fairway.kernel.objects.kinds import CRD, Object
from fairway.kernel.settings import Settings
from fairway.up.settings import UpSettings

log = logging.getLogger(__name__)

_AGAIN = 1.0
"""Seconds until a kind that was refused is tried again."""


async def front_of_the_seam(
    settings: UpSettings,
    rooms: tuple[Settings, ...],
    client: Client,
    clock: Clock,
    tasks: asyncio.TaskGroup,
    token: Callable[[], str],
    host: str,
    port: int,
) -> Front:
    """The features and the front door against any cluster."""
    for feature in FEATURES:
        await install(client, feature.kinds)
    platform = Platform(
        client=client,
        clock=clock,
        public_url=public_url(settings),
        records_url=f"sqlite:///{settings.data_dir / 'records.db'}",
        artifacts_url=_artifacts_url(settings, rooms),
        state_dir=settings.data_dir,
        domain=settings.domain,
        settings=rooms,
    )
    built = [(feature, feature.build(platform)) for feature in FEATURES]
    config = FrontConfig(
        host=host,
        port=port,
        public_url=public_url(settings),
        allowed_hosts=settings.allowed_hosts,
        state_dir=settings.data_dir,
        token=token,
    )
    front = Front(platform, built, config)
    await start([parts for _, parts in built], client, clock, tasks)
    await start_service("front", front.run, tasks)
    return front


def _artifacts_url(settings: UpSettings, rooms: tuple[Settings, ...]) -> str:
    asked = next((room.url for room in rooms if isinstance(room, ArtifactsSettings)), "")
    return asked or (settings.data_dir / "artifacts").as_uri()


async def start(parts: Iterable[Parts], client: Client, clock: Clock, tasks: asyncio.TaskGroup) -> None:
    """The services of one part in their order, those of different parts side by side; then all controllers."""
    parts = tuple(parts)
    await asyncio.gather(*(_start_services(part, tasks) for part in parts))
    await start_controllers((one for part in parts for one in part.controllers), client, clock, tasks)


async def _start_services(part: Parts, tasks: asyncio.TaskGroup) -> None:
    for service in part.services:
        await start_service(service.name, service.run, tasks)


async def install(client: Client, kinds: Iterable[CustomKind]) -> None:
    """Have the definitions of our kinds as they should be, and wait until the API serves them.

    Those that are so already, as at every start but the first, are only looked at. Where a webhook or a policy refuses
    one, an older one stays as it is; a new one is tried again until somebody has mended that, through this very API.
    """
    kinds = tuple(kinds)
    there = {meta.name(found): found for found in (await client.list(CRD)).items}
    for kind in kinds:
        name = kind.kind.resource
        there[name] = await _installed(client, kind.definition(), there.get(name))
    for kind in kinds:
        if not _established(there[kind.kind.resource]):
            await client.wait(CRD, kind.kind.resource, None, _established, timeout=30)


async def _installed(client: Client, definition: Object, found: Object | None) -> Object:
    spec: Object = definition["spec"]
    if found is not None and found["spec"] == found["spec"] | spec:
        return found
    while True:
        try:
            if found is None:
                return await client.create(CRD, definition)
            return await client.patch(CRD, meta.name(definition), None, {"spec": spec})
        except errors.AlreadyExists:
            found = definition
        except errors.ApiError as problem:
            log.warning("the kind %s is not as it should be: %s", meta.name(definition), problem)
            if found is not None:
                return found
            await asyncio.sleep(_AGAIN)


def _established(definition: Object | None) -> bool:
    return definition is not None and is_true(definition, "Established")


class _Ended(Exception):
    """Raised in a task group to end all of it, as the standard library's documentation advises."""


@asynccontextmanager
async def task_group() -> AsyncGenerator[asyncio.TaskGroup, None]:
    """A task group whose tasks are cancelled when the block ends."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
            raise _Ended
    except* _Ended:
        pass


def public_url(settings: UpSettings) -> str:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
