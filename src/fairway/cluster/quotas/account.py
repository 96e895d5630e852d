"""What the objects of one namespace use of its quotas, kept up to date one object at a time.

An object may be held by several at once: by the store, and by writes of it that are on their way. It is charged for
the most that any of them needs, so that a write that is reserved, then stored, then let go is never counted twice, and
never not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from fairway.cluster.quotas import rules as quotas
from fairway.cluster.quotas import usage
from fairway.cluster.quotas.rules import Rules
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.quantities import EXACT

Item = tuple[str, str]
"""A resource (plural.group) and a name."""

STORED = 0
"""The holder of what is in the store."""

_Charge = Mapping[tuple[str, str], Decimal]
"""Quota and limited name to how much."""


class Account:
    def __init__(self, rules: Iterable[Rules]) -> None:
        self.rules = tuple(rules)
        self.used = {each.name: quotas.nothing(each) for each in self.rules}
        """Of each quota, how much of each limited name."""
        self.resources = frozenset(resource for each in self.rules for resource in each.by_resource)
        """Whose objects have to be put here."""
        self._held: dict[Item, dict[int, _Charge]] = {}

    def put(self, item: Item, obj: Object, holder: int = STORED) -> bool:
        """Charge for the object, in place of what this holder had before. Gives whether anything changed."""
        held = self._held.get(item, {})
        return self._change(item, {**held, holder: self._charge(item[0], obj)})

    def drop(self, item: Item, holder: int = STORED) -> bool:
        held = self._held.get(item, {})
        return self._change(item, {each: charge for each, charge in held.items() if each != holder})

    def _charge(self, resource: str, obj: Object) -> _Charge:
        used = usage.of(resource, obj)
        return {
            (each.name, name): amount
            for each in self.rules
            for name, amount in each.charge(resource, obj, used).items()
            if amount
        }

    def _change(self, item: Item, held: dict[int, _Charge]) -> bool:
        before, after = _most(self._held.get(item)), _most(held)
        if held:
            self._held[item] = held
        else:
            self._held.pop(item, None)
        if before == after:
            return False
        for quota, name in before.keys() | after.keys():
            used = self.used[quota]
            more = EXACT.subtract(after.get((quota, name), Decimal(0)), before.get((quota, name), Decimal(0)))
            used[name] = EXACT.add(used[name], more)
        return True


def _most(held: Mapping[int, _Charge] | None) -> _Charge:
    charges = list((held or {}).values())
    if len(charges) < 2:
        return charges[0] if charges else {}
    most: dict[tuple[str, str], Decimal] = {}
    for charge in charges:
        for key, amount in charge.items():
            most[key] = max(most.get(key, amount), amount)
    return most
