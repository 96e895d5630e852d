"""What is used of each ResourceQuota, told in its status: as objects come, grow, end and go.

Admission refuses what would be too much and counts for itself, at the moment of the write; this is for people to read,
and follows a little behind. It keeps the same kind of account of each namespace that has quotas, fed by one mirror for
each resource that some quota counts; where there are no quotas it watches nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fairway.cluster.quotas import rules, usage
from fairway.cluster.quotas.account import Account
from fairway.cluster.workloads import discovery
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.feature import Ready, Service
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CRD, RESOURCE_QUOTA, Kind, Object

log = logging.getLogger(__name__)

_LOOK_AGAIN = 1.0
"""Seconds until a status that could not be written, or kinds that could not be read, are tried again."""


def service(client: Client, clock: Clock) -> Service:
    async def run(ready: Ready) -> None:
        await Counting(client, clock).run(ready)

    return Service("quotas", run)


class Counting:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._quotas = Mirror(client, RESOURCE_QUOTA, clock)
        self._mirrors: dict[str, Mirror] = {}
        self._accounts: dict[str, Account] = {}
        self._ruled_anew: set[str] = set()
        self._due: set[str] = set()
        self._unknown: set[str] = set()
        """Resources that quotas count and nobody serves yet."""
        self._wake = asyncio.Event()

    async def run(self, ready: Ready) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._quotas.run(), name="quotas")
            await self._quotas.synced()
            self._quotas.subscribe(self._quota_changed)
            ready()
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._round(tasks)

    async def _round(self, tasks: asyncio.TaskGroup) -> None:
        try:
            await _each(self._ruled_anew, lambda namespace: self._open(namespace, tasks))
            await _each(self._due, self._tell)
        except (errors.ApiError, OSError) as failure:
            log.warning("quotas will be counted again: %s", failure)
            tasks.create_task(self._later())

    async def _later(self) -> None:
        await self._clock.sleep(_LOOK_AGAIN)
        self._wake.set()

    # What is counted

    def _quota_changed(self, old: Object | None, new: Object | None) -> None:
        quota = new or old or {}
        namespace = meta.namespace(quota)
        if old is None or new is None or old.get("spec") != new.get("spec"):
            self._ruled_anew.add(namespace)
        else:
            self._due.add(namespace)
        self._wake.set()

    async def _open(self, namespace: str, tasks: asyncio.TaskGroup) -> None:
        """Begin a namespace's account anew, from everything in it that its quotas count."""
        account = Account(map(rules.read, self._quotas.all(namespace)))
        for mirror in [await self._mirror(resource, tasks) for resource in sorted(account.resources)]:
            if mirror is not None:
                await mirror.synced()
        # From here on nothing waits, so that no change is missed.
        for resource in account.resources & self._mirrors.keys():
            for obj in self._mirrors[resource].all(namespace):
                account.put((resource, meta.name(obj)), obj)
        if account.rules:
            self._accounts[namespace] = account
            self._due.add(namespace)
        else:
            self._accounts.pop(namespace, None)

    async def _mirror(self, resource: str, tasks: asyncio.TaskGroup) -> Mirror | None:
        """The mirror of a resource, started at its first need; None where nobody serves the resource."""
        if resource not in self._mirrors:
            served = {kind.resource: kind for kind in await discovery.kinds(self._client, verbs=("list", "watch"))}
            kind = served.get(resource)
            if kind is None:
                self._unknown.add(resource)
                kind, resource = CRD, CRD.resource  # who may come to serve it
            if resource not in self._mirrors:
                self._mirrors[resource] = self._follow(kind, tasks)
        return self._mirrors[resource]

    def _follow(self, kind: Kind, tasks: asyncio.TaskGroup) -> Mirror:
        mirror = Mirror(self._client, kind, self._clock)
        mirror.subscribe(self._changes_of(kind.resource))
        tasks.create_task(mirror.run(), name=f"quotas-{kind.resource}")
        return mirror

    def _changes_of(self, resource: str) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            obj = new or old or {}
            if resource == CRD.resource and meta.name(obj) in self._unknown:
                self._unknown.discard(meta.name(obj))
                self._ruled_anew |= self._accounts.keys()
                self._wake.set()
            account = self._accounts.get(meta.namespace(obj))
            if account is None or resource not in account.resources:
                return
            item = resource, meta.name(obj)
            if account.drop(item) if new is None else account.put(item, new):
                self._due.add(meta.namespace(obj))
                self._wake.set()

        return changed

    # What is told

    async def _tell(self, namespace: str) -> None:
        account = self._accounts.get(namespace)
        if account is None:
            return
        for name, used in account.used.items():
            quota = self._quotas.get(namespace, name)
            if quota is None:
                continue
            told = {each: usage.shown(each, amount) for each, amount in used.items()}
            status = {"hard": (quota.get("spec") or {}).get("hard") or {}, "used": told}
            if quota.get("status") == status:
                continue
            try:
                await self._client.update(RESOURCE_QUOTA, {**quota, "status": status}, subresource="status")
            except (errors.Conflict, errors.NotFound):
                continue  # it has changed, and its change comes here


async def _each(namespaces: set[str], do: Callable[[str], Awaitable[None]]) -> None:
    """Take the names out one by one; one that fails stays."""
    while namespaces:
        namespace = namespaces.pop()
        try:
            await do(namespace)
        except (errors.ApiError, OSError):
            namespaces.add(namespace)
            raise
        except Exception:  # asking again would change nothing, and other namespaces are counted
            log.exception("the quotas of %s are not counted", namespace)
