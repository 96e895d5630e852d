"""Slots of pools: who holds some and who waits, over all runs of this engine, first come first served.

Steps that held slots when an engine died are counted from the records before anything is given. A step that asks for
more than its pool has in all keeps nobody else waiting; any other keeps its turn. The limits are read again whenever
somebody asks, so that a pool that was changed counts as it is now.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from fairway.kernel.objects.meta import Key
from fairway.pipelines import pools
from fairway.pipelines.pools import Holder
from fairway.pipelines.render.model import Instance
from fairway.records.database import Database


@dataclass
class _Pool:
    limit: int | None = None
    used: int = 0
    waiting: OrderedDict[str, tuple[Key, Holder]] = field(default_factory=OrderedDict)
    """By task, in the order of asking."""


class Slots:
    """`nudge` has a run reconciled, which then takes what was given to its steps."""

    def __init__(self, records: Database, nudge: Callable[[Key], None]) -> None:
        self._records, self._nudge = records, nudge
        self._pools: dict[str, _Pool] = defaultdict(_Pool)
        self._holders: dict[str, Holder] = {}
        self._of_run: dict[Key, set[str]] = defaultdict(set)
        """The steps of each run that hold slots or wait for some."""
        self._given: dict[Key, list[str]] = defaultdict(list)
        self._counting = asyncio.Lock()
        self._counted = False

    async def count(self) -> None:
        """Once in the life of an engine, before any run is opened: who holds slots already."""
        async with self._counting:
            if not self._counted:
                for holder in await self._records.read(pools.holders):
                    self._hold(holder)
                self._counted = True

    def take_up(self, key: Key, live: Iterable[Instance]) -> None:
        """The run was opened from its records: these of its steps hold slots, and no others."""
        freed = self._let_go(key)
        for each in live:
            if each.slots:
                self._hold(_holder(key, each))
        for name in freed:  # and not before: what it holds on to is nobody else's for a moment either
            self._give(name)

    async def ask(self, key: Key, claims: Iterable[Instance]) -> list[str]:
        """Steps want slots. Gives those that get them at once; the others wait behind all who asked before."""
        for each in claims:
            self._pools[each.options.pool].waiting.setdefault(each.id, (key, _holder(key, each)))
            self._of_run[key].add(each.id)
        return await self.look(key)

    async def look(self, key: Key) -> list[str]:
        """Give what there is by the limits as they are now; tell of the steps of one run, and nudge the others."""
        limits = await self._records.read(pools.limits)
        for name in (*self._pools, *limits):
            self._pools[name].limit = limits.get(name)
        for name in list(self._pools):
            self._give(name)
            pool = self._pools[name]
            if pool.limit is None and not pool.used and not pool.waiting:
                del self._pools[name]  # any step may name one
        return self.given(key)

    def given(self, key: Key) -> list[str]:
        """The steps of a run that were given slots since it asked last."""
        return self._given.pop(key, [])

    def give_back(self, returns: Iterable[Instance]) -> None:
        """These need no slots any more, and wait for none."""
        for name in {self._release(each.id, each.options.pool) for each in returns}:
            self._give(name)

    def drop(self, key: Key) -> None:
        """The run is not in memory any more: its steps wait for nothing. What they hold, they hold."""
        self._given.pop(key, None)
        for task_id in list(self._of_run.get(key, ())):
            if task_id not in self._holders:
                self._of_run[key].discard(task_id)
                for pool in self._pools.values():
                    pool.waiting.pop(task_id, None)

    def forget(self, key: Key) -> None:
        """The run is over, or gone."""
        for name in self._let_go(key):
            self._give(name)

    def why(self, instance: Instance) -> str:
        """Why a step waits, and what helps."""
        name, wanted = instance.options.pool, instance.options.slots
        limit = self._pools[name].limit
        waits = f"waits for {'a slot' if wanted == 1 else f'{wanted} slots'} of the pool {name!r}"
        if limit is None:
            return f"{waits}, which does not exist: make it with PUT /apis/v2beta1/pools/{name}"
        if wanted > limit:
            return f"{waits}, which has {limit} in all: give it more, or ask for fewer"
        return waits

    def _let_go(self, key: Key) -> set[str]:
        """Take everything from the run; gives the pools that have more room now."""
        self.drop(key)
        freed = {self._release(task_id, self._holders[task_id].pool) for task_id in [*self._of_run.get(key, ())]}
        self._of_run.pop(key, None)
        return freed

    def _give(self, name: str) -> None:
        pool = self._pools[name]
        given: list[str] = []
        for task_id, (_, holder) in pool.waiting.items():
            if holder.slots > (pool.limit or 0):
                continue
            if pool.used + holder.slots > (pool.limit or 0):
                break
            self._hold(holder)
            given.append(task_id)
        for task_id in given:
            key, _ = pool.waiting.pop(task_id)
            self._given[key].append(task_id)
            self._nudge(key)

    def _hold(self, holder: Holder) -> None:
        self._holders[holder.task_id] = holder
        self._of_run[holder.run].add(holder.task_id)
        self._pools[holder.pool].used += holder.slots

    def _release(self, task_id: str, name: str) -> str:
        holder = self._holders.pop(task_id, None)
        if holder is not None:
            self._pools[name].used -= holder.slots
            self._of_run[holder.run].discard(task_id)
        self._pools[name].waiting.pop(task_id, None)
        return name


def _holder(key: Key, instance: Instance) -> Holder:
    return Holder(key, instance.id, instance.options.pool, instance.options.slots)
