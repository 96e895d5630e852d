"""What goes through the pipeline: a `Call` in, a `Reply` or a stream of `Event`s out.

A reply keeps the bytes that the store encoded, so that a face which speaks JSON need not encode again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.cluster.api.registry import Served
from fairway.cluster.store.protocol import Record
from fairway.kernel.client.transport import JSON
from fairway.kernel.feature import Identity
from fairway.kernel.objects.errors import BadRequest, Cause, invalid
from fairway.kernel.objects.kinds import Object

_OPTIONS = {"create": "Create", "update": "Update", "patch": "Patch"}

TRUE = frozenset({"1", "true", "True", "t", "T", "TRUE"})


@dataclass(slots=True)
class Call:
    """One request for a resource. `body` belongs to the call: the pipeline may change it."""

    verb: str
    served: Served
    namespace: str
    name: str
    subresource: str
    query: Mapping[str, str]
    identity: Identity
    body: Any = None
    content_type: str = JSON
    size: int = 0
    """Bytes: of the body, or of what it changes if that is larger. Calls without a wire do not say."""
    duplicates: tuple[str, ...] = ()
    """Paths of fields that the body named twice."""
    warnings: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    """What admission wants to have in the audit record, by keys with a domain."""
    sound: Object | None = None
    """The very object of a built-in kind whose shape was found to be right: defaults and our own steps keep it so."""
    manager: str = ""
    """Who writes, as managedFields name them; empty for the platform's own controllers."""

    @property
    def dry_run(self) -> bool:
        value = self.query.get("dryRun", "")
        if value not in ("", "All"):
            text = f'Unsupported value: ["{value}"]: supported values: "All"'
            options = f"{_OPTIONS.get(self.verb, 'Delete')}Options"
            raise invalid(options, "meta.k8s.io", "", [Cause("dryRun", text, "FieldValueNotSupported")])
        return value == "All"

    def flag(self, name: str) -> bool:
        return self.query.get(name, "") in TRUE

    def number(self, name: str) -> int | None:
        """A whole number of the query, or None. Raises BadRequest where it is something else."""
        text = self.query.get(name, "")
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise BadRequest(f'invalid value for {name}: "{text}" is not a whole number') from None


@dataclass(slots=True)
class Reply:
    """One object, or a list of records. `value` is `object` in JSON, where somebody has encoded it already."""

    object: Object
    code: int = 200
    value: bytes | None = None
    served: Served | None = None
    """What the object (or the items) is; None for documents such as Status, which have no other representation."""
    items: list[Object] | None = None
    values: list[bytes] | None = None
    """The items in JSON. `object` is then the list without its items."""
    content_type: str = ""
    """Where it is not plain application/json."""
    etag: str = ""

    def whole(self) -> Object:
        return self.object if self.items is None else {**self.object, "items": self.items}


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a watch. `value` is the object in JSON where it is there already."""

    type: str
    object: Object
    value: bytes | None = None


def of_record(record: Record, served: Served, code: int = 200) -> Reply:
    obj, value = shown(record, served)
    return Reply(obj, code, value, served)


def shown(record: Record, served: Served) -> tuple[Object, bytes | None]:
    """The object as it is served, and its bytes where they are those that the store has."""
    if served.to_view is None:
        return record.object, record.value
    obj = served.to_view(record.object)
    return obj, record.value if obj is record.object else None
