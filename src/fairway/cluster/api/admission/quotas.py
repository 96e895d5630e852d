"""ResourceQuota: nothing is stored that would take a namespace beyond what it may use.

The namespaces that have quotas have an account each, made at its first need and kept up to date from what the store has
changed since. Between the look at the account and the reservation in it nothing waits, so that of many writers at once
no two are given the same place; a reservation is let go when its write has ended, however it ended. Comes last, as
upstream's: what others refuse is not counted. What is used is told in the quotas' status by a controller, which counts
for itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from decimal import Decimal

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.quotas import rules as quotas
from fairway.cluster.quotas import usage
from fairway.cluster.quotas.account import Account
from fairway.cluster.quotas.rules import Rules
from fairway.cluster.quotas.usage import Amounts
from fairway.cluster.store.protocol import Change, Compacted, Key, Store
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import RESOURCE_QUOTA, Object

_MAY_GROW = ("services", "persistentvolumeclaims")
"""Resources whose objects may come to use more after they were created."""


class Quota(Step):
    def __init__(self, store: Store) -> None:
        self._store = store
        self._accounts: dict[str, Account] = {}
        self._seen = 0
        self._reserved: dict[int, tuple[Key, Object]] = {}
        self._ending: set[int] = set()
        """Reservations of requests that are over, and whose writes may still come: their senders did not wait."""
        self._numbers = itertools.count(1)

    def wants(self, request: Request) -> bool:
        grows = request.operation == "CREATE" or (request.operation == "UPDATE" and request.resource in _MAY_GROW)
        if not grows or request.subresource or not request.call.namespace:
            return False
        return bool(self._store.list(RESOURCE_QUOTA.resource, request.call.namespace).records)

    async def validate(self, request: Request) -> None:
        account = self._account(request.call.namespace)
        if request.resource not in account.resources:
            return
        for rules in account.rules:
            _judge(rules, account.used[rules.name], request)
        if not request.dry_run:
            self._reserve(account, request)

    def _reserve(self, account: Account, request: Request) -> None:
        number = next(self._numbers)
        key = Key(request.resource, request.call.namespace, request.call.name)
        account.put((key.resource, key.name), request.object, number)
        self._reserved[number] = key, request.object
        request.afterwards.append(lambda stored: self._over(number))

    def _over(self, number: int) -> None:
        self._ending.add(number)
        self._catch_up()

    def _account(self, namespace: str) -> Account:
        self._catch_up()
        account = self._accounts.get(namespace)
        if account is None:
            account = self._accounts[namespace] = self._opened(namespace)
        return account

    def _opened(self, namespace: str) -> Account:
        """A new account, from what is in the store and what is on its way to it."""
        account = Account(
            quotas.read(record.object) for record in self._store.list(RESOURCE_QUOTA.resource, namespace).records
        )
        for resource in account.resources:
            for record in self._store.list(resource, namespace).records:
                account.put((resource, record.key.name), record.object)
        for number, (key, obj) in self._reserved.items():
            if key.namespace == namespace:
                account.put((key.resource, key.name), obj, number)
        return account

    def _catch_up(self) -> None:
        """Take in what was committed since the last look, then let go of the reservations that are over."""
        try:
            changes: Iterable[Change] = self._store.changes(self._seen) if self._accounts else ()
        except Compacted:
            self._accounts.clear()
            changes = ()
        self._seen = self._store.revision
        for change in changes:
            key = change.record.key
            account = self._accounts.get(key.namespace)
            if account is None:
                continue
            if key.resource == RESOURCE_QUOTA.resource and _ruled_otherwise(change):
                del self._accounts[key.namespace]  # opened again when it is needed, from all that is there then
            elif key.resource in account.resources:
                _take_in(account, change)
        if self._ending:
            self._let_go()

    def _let_go(self) -> None:
        for number in list(self._ending):
            key, _ = self._reserved[number]
            if self._store.pending(key):
                continue
            self._ending.discard(number)
            del self._reserved[number]
            if account := self._accounts.get(key.namespace):
                account.drop((key.resource, key.name), number)


def _ruled_otherwise(change: Change) -> bool:
    if change.previous is None or change.type == "DELETED":
        return True
    return bool(change.previous.object.get("spec") != change.record.object.get("spec"))


def _take_in(account: Account, change: Change) -> None:
    item = change.record.key.resource, change.record.key.name
    if change.type == "DELETED":
        account.drop(item)
    else:
        account.put(item, change.record.object)


def _judge(rules: Rules, used: Amounts, request: Request) -> None:
    """Refuse what does not fit under one quota, in upstream's words."""
    resource, obj = request.resource, request.object
    if not rules.fits(resource, obj):
        return
    if resource == "pods" and (unsaid := rules.unsaid(obj)):
        texts = [f"{name} for: {','.join(sorted(containers))}" for name, containers in unsaid.items()]
        raise _forbidden(request, f"failed quota: {rules.name}: must specify {'; '.join(texts)}")
    wanted = rules.charge(resource, obj, usage.of(resource, obj))
    before = rules.charge(resource, request.old, usage.of(resource, request.old)) if request.old else {}
    more = {name: amount - before.get(name, Decimal(0)) for name, amount in wanted.items()}
    exceeded = sorted(name for name, amount in more.items() if amount > 0 and used[name] + amount > rules.hard[name])
    if exceeded:
        parts = (("requested", more), ("used", used), ("limited", rules.hard))
        texts = [f"{word}: {_listed(exceeded, amounts)}" for word, amounts in parts]
        raise _forbidden(request, f"exceeded quota: {rules.name}, {', '.join(texts)}")


def _listed(names: Iterable[str], amounts: Amounts) -> str:
    return ",".join(f"{name}={usage.shown(name, amounts[name])}" for name in names)


def _forbidden(request: Request, why: str) -> errors.Forbidden:
    return errors.forbidden(request.call.served.label, request.call.name, why)
