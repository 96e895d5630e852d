"""One write on its way to the store, as the steps of admission see it.

The object is in the form in which it is stored or, where a webhook converts its kind, in the version of the request. A
step that counts (a quota) adds to `afterwards`, and is told how the write ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from fairway.cluster.api.calls import Call
from fairway.kernel.objects.kinds import Object

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(slots=True)
class Request:
    operation: Operation
    call: Call
    """Who asks, for which resource, with which options. Warnings for the client are added to it."""
    object: Object
    """What is to be stored; of a deletion its options, of a connection its query. The mutating halves may change what
    is created or updated in place, and of a status the status; anything else they replace, as it is shared with `old`.
    """
    old: Object
    """What is stored, which nobody may change; empty for what is created, and for connections."""
    afterwards: list[Callable[[bool], None]] = field(default_factory=list)
    """Called once with whether the write was stored."""
    again: bool = False
    """The mutating halves run for the second time, since somebody changed the object after them."""
    memory: dict[type, Any] = field(default_factory=dict)
    """What a step remembers of the request, by its class."""
    _wanted_again: bool = False

    @property
    def resource(self) -> str:
        """plural.group of what is stored."""
        return self.call.served.storage

    @property
    def namespace(self) -> str:
        """Empty for what lies in none; a namespace lies in itself."""
        return self.call.namespace or (self.call.name if self.resource == "namespaces" else "")

    @property
    def subresource(self) -> str:
        return self.call.subresource

    @property
    def dry_run(self) -> bool:
        return self.call.dry_run

    def run_again(self) -> None:
        """Let the mutating halves, which may have completed another object than this one, run once more."""
        self._wanted_again = True

    def begin_again(self) -> bool:
        """Whether the second round is to run; there is no third."""
        if not self._wanted_again or self.again:
            return False
        self.again = True
        return True

    def ended(self, *, stored: bool) -> None:
        for tell in self.afterwards:
            tell(stored)
        self.afterwards.clear()
