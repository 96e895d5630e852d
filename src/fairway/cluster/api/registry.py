"""What is served: the built-in resources and, at each moment, the custom ones.

Custom resources come and go with their definitions: whoever writes a definition tells the registry, so that
the next request finds it. Nothing here asks the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from fairway.cluster.api import horizontal_views, resources
from fairway.cluster.api.resources import Resource
from fairway.cluster.api.strategies import Strategy, builtin_strategy
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import HORIZONTAL_POD_AUTOSCALER, Object
from fairway.kernel.objects.schemas import Schema

View = Callable[[Object], Object]


@dataclass(frozen=True, slots=True)
class Conversion:
    """The webhook that makes objects of one version those of another."""

    client_config: Object
    schemas: Mapping[str, Callable[[], Schema]] = field(compare=False)
    """What objects of each apiVersion are made of: what a webhook says beyond it is dropped."""
    completes: bool = False
    """Whether stored objects may lack what their schema has come to fill in."""


@dataclass(frozen=True, slots=True)
class Served:
    """One resource as it is served: its row, its rules, and how its objects differ from the stored ones."""

    resource: Resource
    strategy: Strategy
    to_view: View | None = None
    to_stored: View | None = None
    definition: Object | None = None
    """The CustomResourceDefinition of a custom resource."""
    conversion: Conversion | None = None
    """What makes this version of the stored one, where a webhook does; `to_view` is None then."""
    deprecation: str = ""
    """The warning that goes with every answer, where this version is deprecated."""

    @property
    def storage(self) -> str:
        """The name of the resource in the store."""
        return self.resource.storage.resource

    @property
    def label(self) -> str:
        """plural.group, as error texts have it."""
        return self.resource.kind.resource

    def invalid(self, name: str, causes: Iterable[errors.Cause]) -> errors.Invalid:
        return errors.invalid(self.resource.kind.kind, self.resource.kind.group, name, causes)


class Registry:
    def __init__(self) -> None:
        self._builtin = {_address(row): _builtin(row) for row in resources.builtin()}
        self._custom: dict[str, tuple[Served, ...]] = {}
        self._table: dict[tuple[str, str, str], Served] = dict(self._builtin)
        self.version = 0
        """Changes whenever what is served changes."""

    def find(self, group: str, version: str, plural: str) -> Served | None:
        return self._table.get((group, version, plural))

    def __iter__(self) -> Iterator[Served]:
        """In the order of discovery: built-in first."""
        return iter(self._table.values())

    def custom(self, definition_name: str) -> tuple[Served, ...]:
        return self._custom.get(definition_name, ())

    def put(self, definition_name: str, served: tuple[Served, ...]) -> None:
        """Serve a custom resource, or with an empty tuple no longer."""
        if served:
            self._custom[definition_name] = served
        else:
            self._custom.pop(definition_name, None)
        self._table = dict(self._builtin)
        for versions in self._custom.values():
            self._table |= {_address(one.resource): one for one in versions}
        self.version += 1

    def is_builtin(self, group: str) -> bool:
        return any(address[0] == group for address in self._builtin)


def _address(row: Resource) -> tuple[str, str, str]:
    return row.kind.group, row.kind.version, row.kind.plural


def _builtin(row: Resource) -> Served:
    strategy = builtin_strategy(row)
    if row.storage == row.kind:
        return Served(row, strategy)
    if row.storage == HORIZONTAL_POD_AUTOSCALER:
        return Served(row, strategy, horizontal_views.to_v1, horizontal_views.to_v2)
    names = dict(row.renamed)
    back = {stored: shown for shown, stored in names.items()}
    return Served(
        row,
        strategy,
        _renaming(back, row.kind.api_version, row.kind.kind),
        _renaming(names, row.storage.api_version, row.storage.kind),
    )


def _renaming(names: dict[str, str], api_version: str, kind: str) -> View:
    def view(obj: Object) -> Object:
        return {names.get(key, key): value for key, value in obj.items()} | {"apiVersion": api_version, "kind": kind}

    return view
