"""A pod, or the template of one, as the checks of PodSecurity see it, and the words that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fairway.kernel.objects.kinds import Object


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, in short, and where."""

    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


class Subject:
    def __init__(self, metadata: Object, spec: Object) -> None:
        self.spec = spec
        self.annotations: Object = metadata.get("annotations") or {}
        self.containers: list[Object] = [
            *(spec.get("initContainers") or ()),
            *(spec.get("containers") or ()),
            *(spec.get("ephemeralContainers") or ()),
        ]

    @property
    def windows(self) -> bool:
        return (self.spec.get("os") or {}).get("name") == "windows"

    @property
    def own_users(self) -> bool:
        """It has users of its own, so that its root is nobody outside."""
        return self.spec.get("hostUsers") is False

    def named(self, bad: Callable[[Object], Any]) -> list[str]:
        """The names of the containers whose security context is bad."""
        return [str(each.get("name")) for each in self.containers if bad(context(each))]

    def values(self, bad: Callable[[Object], str]) -> list[str]:
        """The bad values themselves, of the pod and of its containers."""
        return sorted({text for each in (self.spec, *self.containers) if (text := bad(context(each)))})

    def setters(self, bad: Callable[[Object], Any]) -> str:
        """The pod and the containers whose own security context is bad, as the subject of a sentence."""
        found = ["pod"] if bad(context(self.spec)) else []
        if named := self.named(bad):
            found.append(listed("container", named))
        return " and ".join(found)


def context(holder: Object) -> Object:
    return holder.get("securityContext") or {}


def listed(word: str, names: Iterable[str], *, plural: str = "") -> str:
    """container "a", or containers "a", "b"."""
    names = list(names)
    return f"{word if len(names) == 1 else plural or word + 's'} {quoted(names)}"


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def uses(names: list[str]) -> str:
    return "uses" if len(names) == 1 else "use"
