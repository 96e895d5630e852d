"""All functions, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from fairway.cluster.api.cel.library import (
    authorizers,
    expressions,
    formats,
    lists,
    networks,
    optionals,
    quantities,
    semver,
    standard,
    strings,
)
from fairway.cluster.api.cel.library.overloads import Overload

_LIBRARIES = (standard, strings, expressions, lists, optionals, quantities, semver, networks, formats, authorizers)


@cache
def functions() -> Mapping[str, list[Overload]]:
    """The overloads of each function, of all libraries together."""
    found: dict[str, list[Overload]] = {}
    for library in _LIBRARIES:
        for name, overloads in library.functions().items():
            found.setdefault(name, []).extend(overloads)
    return found


@cache
def namespaces() -> frozenset[str]:
    """What stands before the dot of functions whose name has one."""
    return frozenset(name.partition(".")[0] for name in functions() if "." in name)
