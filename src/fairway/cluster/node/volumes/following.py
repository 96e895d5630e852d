"""Volumes that follow their objects while a pod runs: ConfigMaps, Secrets, and the pod's own labels and annotations.

    a container started, or a pod was found again -> follow -> one watch for each kind and namespace in use
    an event of an object that a pod mounts ------------------------------------> look again -> publish

It keeps no objects but immutable ones: of an event it takes the name, and asks for the object when it looks. What has
not changed since it was written costs one request and no write. A pod without such volumes costs nothing, and nothing
is polled.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from fairway.cluster.node.runtime import CannotStart
from fairway.cluster.node.variables import Facts, Fetch
from fairway.cluster.node.volumes import contents, folders
from fairway.cluster.node.volumes.contents import Token
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock, back_off
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import Kind, Object

log = logging.getLogger(__name__)

Seen = dict[tuple[Kind, str], "Object | None"]
"""The objects that a pod's files were made of, by kind and name; None where there was none."""

_Stream = tuple[Kind, str]
"""Kind and namespace of a watch."""
_BRIEF = 0.5
"""Seconds for which a container may run before anything is watched for it: one that ends sooner costs nothing."""
_LATER = 5.0
"""Seconds until what could not be asked for is asked for again."""


@dataclass
class Followed:
    pod: Object
    folder: Path
    facts: Facts
    token: Token
    known: bool = False
    """Whether the files are made of what `made_of` says: of a pod that was found again, nobody knows."""
    made_of: dict[tuple[Kind, str], int] = field(default_factory=dict)
    """Revisions, by kind and name; 0 where there was no such object."""
    immutable: dict[tuple[Kind, str], Object] = field(default_factory=dict)
    """What is never asked for again, also when another has its name by now."""

    def saw(self, seen: Seen) -> None:
        self.known = True
        for key in self.awaited() & seen.keys():
            obj = seen[key]
            self.made_of[key] = _revision(obj)
            if obj and obj.get("immutable"):
                self.immutable[key] = obj

    def is_of(self, seen: Seen) -> bool:
        return self.known and all(self.made_of.get(key) == _revision(obj) for key, obj in seen.items())

    def awaited(self) -> set[tuple[Kind, str]]:
        """What may still change."""
        return set(contents.objects(self.pod)) - self.immutable.keys()


class Following:
    def __init__(self, client: Client, clock: Clock, pods: Mirror) -> None:
        self._client, self._clock, self._pods = client, clock, pods
        self._followed: dict[str, Followed] = {}
        self._users: dict[_Stream, dict[str, set[str]]] = {}
        """Of each watch: the pods that mount an object, by its name."""
        self._watched: set[_Stream] = set()
        self._due: set[str] = set()
        self._wake = asyncio.Event()

    def follow(self, pod: Object, folder: Path, facts: Facts, token: Token, seen: Seen | None) -> None:
        """From now on, until the pod is forgotten. `seen` is what its files were made of, where that is known."""
        if not any(contents.sources(volume) is not None for volume in pod["spec"].get("volumes") or ()):
            return
        self.forget(meta.uid(pod))
        followed = self._followed[meta.uid(pod)] = Followed(pod, folder, facts, token)
        if seen is not None:
            followed.saw(seen)
        asyncio.get_running_loop().call_later(_BRIEF if followed.known else 0.0, self._begin, followed)

    def forget(self, uid: str) -> None:
        if followed := self._followed.pop(uid, None):
            self._await_nothing(followed)
            self._wake.set()

    async def run(self) -> None:
        """For ever."""
        self._pods.subscribe(self._pod_changed)
        watches: dict[_Stream, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._wake.wait()
                self._wake.clear()
                for stream in watches.keys() - self._users.keys():
                    watches.pop(stream).cancel()
                    self._watched.discard(stream)
                for stream in self._users.keys() - watches.keys():
                    name = f"node-volumes-{stream[0].resource}-{stream[1]}"
                    watches[stream] = tasks.create_task(self._watch(stream), name=name)
                await self._look_again()

    # Who waits for what

    def _begin(self, followed: Followed) -> None:
        """What has changed since its files were made is found by the first look."""
        if self._follows(followed, followed.pod):
            self._await_changes(followed)
            self._look(meta.uid(followed.pod))

    def _await_changes(self, followed: Followed) -> None:
        for kind, name in followed.awaited():
            stream = self._users.setdefault((kind, meta.namespace(followed.pod)), {})
            stream.setdefault(name, set()).add(meta.uid(followed.pod))

    def _await_nothing(self, followed: Followed) -> None:
        for kind, name in contents.objects(followed.pod):
            stream = (kind, meta.namespace(followed.pod))
            users = self._users.get(stream, {})
            users.get(name, set()).discard(meta.uid(followed.pod))
            if not users.get(name):
                users.pop(name, None)
            if not users:
                self._users.pop(stream, None)

    def _look(self, uid: str) -> None:
        self._due.add(uid)
        self._wake.set()

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        followed = self._followed.get(meta.uid(new)) if new else None
        if followed and new and _shown(new) != _shown(followed.pod):
            self._look(meta.uid(new))

    async def _watch(self, stream: _Stream) -> None:
        """For ever: who uses an object that changes is looked at again. A watch that was lost begins with all."""
        kind, namespace = stream
        revision, failures = "", 0
        while True:
            try:
                if not revision:
                    revision = (await self._client.list(kind, namespace, limit=1)).revision
                    self._watched.add(stream)
                    for uid in {uid for users in self._users.get(stream, {}).values() for uid in users}:
                        self._look(uid)
                async with aclosing(self._client.watch(kind, namespace, since=revision)) as events:
                    async for event in events:
                        revision, failures = str(event.object["metadata"]["resourceVersion"]), 0
                        if event.type != "BOOKMARK":
                            for uid in self._users.get(stream, {}).get(meta.name(event.object), ()):
                                self._look(uid)
            except errors.Expired:
                revision = ""
            except (errors.ApiError, OSError) as failure:
                failures += 1
                log.debug("watch of %s in %s interrupted: %s", kind.resource, namespace, failure)
                await self._clock.sleep(back_off(0.1, failures, 10.0))

    # Looking

    async def _look_again(self) -> None:
        """At the pods that are due. An object that many mount is asked for once."""
        due, self._due = self._due, set()
        asked: dict[tuple[Kind, str, str], Object | None] = {}

        async def fetch(kind: Kind, name: str, namespace: str) -> Object | None:
            if (kind, name, namespace) not in asked:
                asked[(kind, name, namespace)] = await self._client.find(kind, name, namespace)
            return asked[(kind, name, namespace)]

        for uid in due:
            followed = self._followed.get(uid)
            streams = {(kind, meta.namespace(followed.pod)) for kind, _ in followed.awaited()} if followed else set()
            if followed is None or not streams <= self._watched:
                continue  # it is looked at when its watch has begun: between the two nothing is missed
            try:
                await self._renew(followed, fetch)
            except (errors.ApiError, OSError) as failure:
                log.warning("the volumes of pod %s are not renewed yet: %s", meta.name(followed.pod), failure)
                asyncio.get_running_loop().call_later(_LATER, self._look, uid)
            except Exception:  # asking again would change nothing, and the volumes of other pods are renewed
                log.exception("the volumes of pod %s stay as they are", meta.name(followed.pod))
            await asyncio.sleep(0)

    async def _renew(self, followed: Followed, fetch: Fetch) -> None:
        namespace = meta.namespace(followed.pod)
        seen: Seen = {(kind, name): await fetch(kind, name, namespace) for kind, name in followed.awaited()}
        pod = self._pods.get(*meta.key(followed.pod)) or followed.pod
        if not self._follows(followed, pod) or (followed.is_of(seen) and _shown(pod) == _shown(followed.pod)):
            return

        async def own(kind: Kind, name: str, namespace: str) -> Object | None:
            return followed.immutable.get((kind, name)) or await fetch(kind, name, namespace)

        for volume in pod["spec"]["volumes"]:
            try:
                await folders.renew(
                    volume,
                    pod,
                    followed.folder,
                    followed.facts,
                    own,
                    followed.token,
                    lambda: self._follows(followed, pod),
                )
            except CannotStart as problem:
                log.info("volume %s of pod %s stays as it is: %s", volume["name"], meta.name(pod), problem)
        if self._follows(followed, pod):
            self._await_nothing(followed)
            followed.pod = pod
            followed.saw(seen)
            self._await_changes(followed)

    def _follows(self, followed: Followed, pod: Object) -> bool:
        return self._followed.get(meta.uid(pod)) is followed


def _shown(pod: Object) -> tuple[Object, Object] | None:
    """What of the pod itself is in its volumes and may change."""
    return (meta.labels(pod), meta.annotations(pod)) if contents.shows_pod(pod) else None


def _revision(obj: Object | None) -> int:
    return meta.revision(obj) if obj else 0
