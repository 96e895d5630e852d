"""Walking a document while remembering where one is, so that every complaint names its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairway.pipelines.ir.model import InvalidPipeline


@dataclass(frozen=True, slots=True)
class Node:
    """One mapping of the document."""

    value: Mapping[str, Any]
    place: str = ""

    def has(self, key: str) -> bool:
        return key in self.value

    def get(self, key: str, default: Any = None) -> Any:
        return self.value.get(key, default)

    def node(self, key: str) -> Node:
        """The mapping under `key`; an empty one where there is none."""
        inside = self.value.get(key)
        place = f"{self.place}.{key}" if self.place else key
        if inside is None:
            return Node({}, place)
        if not isinstance(inside, Mapping):
            raise InvalidPipeline("this must be a mapping", place)
        return Node(inside, place)

    def nodes(self) -> Iterator[tuple[str, Node]]:
        for key in self.value:
            yield str(key), self.node(key)

    def list(self, key: str) -> list[Any]:
        inside = self.value.get(key)
        if inside is None:
            return []
        if not isinstance(inside, list):
            raise InvalidPipeline("this must be a list", f"{self.place}.{key}")
        return inside

    def entries(self, key: str) -> Iterator[Node]:
        """The mappings in the list under `key`."""
        for number, entry in enumerate(self.list(key)):
            place = f"{self.place}.{key}[{number}]"
            if not isinstance(entry, Mapping):
                raise InvalidPipeline("this must be a mapping", place)
            yield Node(entry, place)

    def whole(self, key: str) -> int:
        """The whole number under `key`, 0 where there is none; it may come as a text, and none is below 0."""
        try:
            number = int(self.value.get(key) or 0)
        except (TypeError, ValueError, OverflowError):
            number = -1
        if not 0 <= number < 1 << 31:
            raise self.wrong(f"{key} is {self.value[key]!r}, and must be a whole number that is not below 0")
        return number

    def text(self, key: str) -> str:
        """The text under `key`, empty where there is none."""
        inside = self.value.get(key)
        if inside is None:
            return ""
        if not isinstance(inside, str):
            raise InvalidPipeline("this must be a text", f"{self.place}.{key}" if self.place else key)
        return inside

    def refuse_others(self, known: Iterable[str], what: str) -> None:
        """Raise InvalidPipeline where something is set that nobody here would look at."""
        others = sorted(str(key) for key, value in self.value.items() if key not in known and value)
        if others:
            raise self.wrong(f"{what} {', '.join(others)} is not supported; known are {', '.join(sorted(known))}")

    def wrong(self, message: str) -> InvalidPipeline:
        return InvalidPipeline(message, self.place)


def read(document: Any) -> Node:
    if not isinstance(document, Mapping):
        raise InvalidPipeline("the pipeline is not a mapping; give the YAML that the kfp compiler wrote")
    return Node(document)
