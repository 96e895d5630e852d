"""Refusals: each a sentence that names a field and says what to do. All of them are found, not only the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

from fairway.kernel.objects.kinds import Object


class NotSupported(Exception):
    """`reason` is KServe's word for it; the text is all refusals, one sentence each."""

    def __init__(self, reason: str, sentences: list[str]) -> None:
        super().__init__(" ".join(dict.fromkeys(sentences)))
        self.reason = reason


def unknown(part: Object, where: str, accepted: Set[str], refused: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each field of `part` that has a value and is not accepted."""
    for field, value in sorted(part.items()):
        if field not in accepted and not empty(value):
            yield f"{where}.{field} is not supported; {refused.get(field, 'remove it')}."


def empty(value: Any) -> bool:
    return value is None or value in ("", [], {})
