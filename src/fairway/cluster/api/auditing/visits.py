"""One request as the audit log sees it: what a face learns of it on the way, and whether it is worth a record."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from fairway.cluster.api.calls import Call
from fairway.kernel.feature import Identity

AUDIT_ID = "Audit-Id"
"""The header that carries the name of a request."""

_WRITES = ("create", "update", "patch", "delete", "deletecollection")


@dataclass(slots=True)
class Visit:
    id: str
    method: str
    path: str
    query: Mapping[str, str]
    received: float
    address: str = ""
    agent: str = ""
    identity: Identity | None = None
    """None until it is known, and for strangers."""
    call: Call | None = None
    """None until it is allowed, for documents, and for what another server answers."""
    elsewhere: str = ""
    """Its verb, where another server answers it."""
    told: bool = False
    """A connection is recorded when it is opened."""

    @property
    def writes(self) -> bool:
        """Whether it changes something, or connects to something."""
        call = self.call
        if call is None:
            return self.elsewhere in _WRITES
        if not call.served.resource.stored:  # reviews are questions, whatever their verb
            return False
        return call.verb in _WRITES or self.connects

    @property
    def connects(self) -> bool:
        call = self.call
        if call is None or not call.subresource:
            return False
        subresource = call.served.resource.subresource(call.subresource)
        return subresource is not None and subresource.connects


@dataclass(slots=True)
class Numbers:
    """Names for requests: unlike any other's, and cheap, as every answer carries one."""

    _start: str = field(default_factory=lambda: str(uuid.UUID(bytes=os.urandom(16), version=4))[:24])
    _count: count[int] = field(default_factory=lambda: count(1))

    def next(self) -> str:
        return f"{self._start}{next(self._count):012x}"
