"""What the API needs of whoever measures pods and nodes: the node agent. The API only checks and forwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Usage(Protocol):
    """Over the last `window` seconds."""

    @property
    def cpu(self) -> float:
        """In cores."""
        ...

    @property
    def memory(self) -> int:
        """In bytes."""
        ...

    @property
    def window(self) -> float: ...


class Measures(Protocol):
    def pods(self) -> Mapping[str, Mapping[str, Usage]]:
        """By the pods' uids, the containers that run by name."""
        ...

    def nodes(self) -> Mapping[str, Usage]: ...
