"""Which names of a definition are accepted: two kinds of one group cannot share any.

A definition whose names are taken is stored and not served; its conditions say which name it is. When the definition
that holds the name goes, or lets go of it, `definitions` asks again for those that waited. Pure: `crds` comes after.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fairway.kernel.objects.kinds import Object


class Conflict(NamedTuple):
    reason: str
    message: str


NONE = Conflict("NoConflicts", "no conflicts found")


def accepted(definition: Object, others: Iterable[Object]) -> tuple[Object, Conflict]:
    """The names that the definition has from now on, and the last of its conflicts (or NONE).

    `others` are all definitions; those of other groups, and itself, do not matter.
    """
    wanted = requested(definition)
    given = dict((definition.get("status") or {}).get("acceptedNames") or {})
    resources, kinds = _taken(definition, others)
    found = NONE
    for key, reason, taken in (
        ("plural", "PluralConflict", resources),
        ("singular", "SingularConflict", resources),
        ("shortNames", "ShortNamesConflict", resources),
        ("kind", "KindConflict", kinds),
        ("listKind", "ListKindConflict", kinds),
    ):
        clashes = [one for one in _words(wanted.get(key)) if one in taken and one not in _words(given.get(key))]
        if clashes:
            found = Conflict(reason, _said(clashes))
        elif key in wanted:
            given[key] = wanted[key]
        else:
            given.pop(key, None)
    given.pop("categories", None)
    return (given | ({"categories": wanted["categories"]} if wanted.get("categories") else {})), found


def requested(definition: Object) -> Object:
    """spec.names with what follows from the kind filled in."""
    own = dict(definition["spec"]["names"])
    own.setdefault("singular", own["kind"].lower())
    own.setdefault("listKind", f"{own['kind']}List")
    return own


def _taken(definition: Object, others: Iterable[Object]) -> tuple[set[str], set[str]]:
    resources, kinds = set[str](), set[str]()
    for other in others:
        if other["spec"]["group"] != definition["spec"]["group"]:
            continue
        if other["metadata"]["name"] == definition["metadata"]["name"]:
            continue
        names = (other.get("status") or {}).get("acceptedNames") or {}
        for key in ("plural", "singular", "shortNames"):
            resources.update(_words(names.get(key)))
        for key in ("kind", "listKind"):
            kinds.update(_words(names.get(key)))
    return resources, kinds


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(one) for one in value)
    return (str(value),) if value else ()


def _said(clashes: list[str]) -> str:
    texts = [f'"{one}" is already in use' for one in clashes]
    return texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
