"""What a store promises. One contract suite (`fairway.testing.store_contract`) judges every implementation.

Reads (`get`, `list`) answer at once from memory and see only what is committed. Writes check the expected
revision against everything submitted before them, get the next revision, and return after the commit.
Watches see committed changes in revision order, each exactly once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from fairway.kernel.objects.kinds import Object

Label = tuple[str, str]
"""A key and a value of metadata.labels."""

Position = tuple[str, str]
"""The namespace and name of an object, by which lists are ordered."""


class Key(NamedTuple):
    """`resource` is plural.group ("pods", "deployments.apps"); `namespace` is empty for cluster scope."""

    resource: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Record:
    """One object at one revision. `object` carries metadata.resourceVersion and must never be changed;
    `value` is the same object as JSON bytes, encoded once."""

    key: Key
    revision: int
    value: bytes
    object: Object


@dataclass(frozen=True, slots=True)
class Change:
    """`record` is the new state; of a deletion, the last content with the deletion's revision.
    `previous` is what was there before, None at birth."""

    type: str  # ADDED, MODIFIED, DELETED; PROGRESS in a watch that is asked for it
    record: Record
    previous: Record | None

    @property
    def revision(self) -> int:
        return self.record.revision


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The records of a list, ordered by (namespace, name), and the revision at which they were all true.

    `remaining` is how many follow where a limit cut the list; of a list by label or name it is only not 0.
    """

    revision: int
    records: list[Record]
    remaining: int = 0


class Changes(AsyncGenerator[Change, None]):
    """What a watch gives. It is in force from its beginning, not from its first step."""

    def progress(self, revision: int) -> None:
        """Say, after what has come until now, that it is complete up to `revision`: by a change of type PROGRESS, of
        which nothing else counts."""
        raise NotImplementedError

    def end(self) -> None:
        """No more changes: the reader gets what is there, then the end."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Completion:
    """What becomes of objects that an earlier release stored, before anybody sees them again.

    `complete` changes an object of one of the `resources` in place, or raises ValueError where it cannot: then that
    stays as it is stored. The store asks for each of them once, when it is opened with another `fingerprint` than
    before.
    """

    fingerprint: str
    resources: frozenset[str]
    complete: Callable[[str, Object], None]


class WrongRevision(Exception):
    """The expected revision is not the newest. `current` is the newest, or 0 where there is no object."""

    def __init__(self, key: Key, current: int) -> None:
        super().__init__(f"{key} is at revision {current}")
        self.key, self.current = key, current


class Compacted(Exception):
    """The asked revision is older than what the store remembers, which starts at `oldest`."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"revisions before {oldest} are compacted")
        self.oldest = oldest


class StoreFailed(Exception):
    """The store cannot write (disk full, file gone). Nothing of the write is kept."""


class Store(Protocol):
    @property
    def revision(self) -> int:
        """The newest committed revision."""
        ...

    @property
    def compacted(self) -> int:
        """Watches and snapshots from revisions older than this are refused."""
        ...

    def get(self, key: Key) -> Record | None: ...

    def list(
        self,
        resource: str,
        namespace: str = "",
        *,
        name: str = "",
        label: Label | None = None,
        at: int = 0,
        after: Position | None = None,
        limit: int = 0,
    ) -> Snapshot:
        """All of a resource, or of one namespace of it; at an older revision where `at` is given.

        With `name` or `label` only the objects that have it, with `after` and `limit` a page: neither costs a look
        at the others. Raises Compacted where `at` is too old.
        """
        ...

    async def create(self, key: Key, obj: Object) -> Record:
        """Raises WrongRevision where the key exists. The store sets metadata.resourceVersion."""
        ...

    async def update(self, key: Key, obj: Object, expected: int) -> Record:
        """Raises WrongRevision unless `expected` is the newest revision of the key."""
        ...

    async def delete(self, key: Key, expected: int) -> Record:
        """Gives the last content with the deletion's revision. Raises WrongRevision like update."""
        ...

    def changed(self, resource: str) -> int:
        """The newest revision at which any object of the resource changed since this store was opened, or 0."""
        ...

    def watch(
        self, resource: str, namespace: str = "", *, name: str = "", label: Label | None = None, since: int
    ) -> Changes:
        """Changes after revision `since`, then live, until closed. Raises Compacted where that is too old.

        With `name` or `label` only changes of objects that have it, or had it before: the others do not wake the
        watcher.

        A watcher that lags more than a bounded number of changes gets Compacted and must list again.
        """
        ...

    def changes(self, since: int) -> Sequence[Change]:
        """Everything that was committed after revision `since`, for who keeps count. Raises Compacted."""
        ...

    def pending(self, key: Key) -> bool:
        """Whether a write of the key is on its way: neither committed yet nor refused."""
        ...

    async def progress(self, revision: int) -> None:
        """Return once the committed revision is at least `revision`."""
        ...

    async def compact(self, before: int) -> None:
        """Forget history older than `before`; current objects stay."""
        ...

    async def close(self) -> None: ...
