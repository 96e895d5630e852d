"""Sending what is to be told, until it has arrived or was tried often enough.

A delivery is claimed before it is sent, by whoever changes its row first; who is killed in between is made up for once
the claim has run out, so that everything is sent at least once, and normally once. Of one rule one is sent after the
other.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import SECRET
from fairway.pipelines.api.context import Context, row
from fairway.pipelines.notices import failures, rules, webhooks, wording
from fairway.pipelines.notices.letters import Letters
from fairway.pipelines.notices.tables import deliveries, notice_rules
from fairway.pipelines.notices.webhooks import NotTaken

log = logging.getLogger(__name__)

BACK_OFF = (10.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 21600.0)
"""Seconds from one try to the next; after the last of them it is given up."""

CLAIM_SECONDS = 180.0
"""Longer than a try takes: after this the server that made it is taken to be dead."""


def due(connection: Connection, now: float) -> list[str]:
    """The rules that have something to send."""
    query = select(deliveries.c.rule_id).where(deliveries.c.state == "PENDING", deliveries.c.next_at <= now)
    return list(connection.execute(query.distinct()).scalars())


def next_at(connection: Connection, now: float) -> float | None:
    """When the next delivery is due that is not yet."""
    later = (deliveries.c.state == "PENDING", deliveries.c.next_at > now)
    found: float | None = connection.execute(select(func.min(deliveries.c.next_at)).where(*later)).scalar_one()
    return found


class Sender:
    def __init__(self, context: Context) -> None:
        self._context = context
        self.letters = Letters(context.settings)

    async def deliver(self, rule_id: str) -> None:
        """Everything of this rule that is due, the oldest first. Raises OSError where the records fail."""
        while (claimed := await self._claim(rule_id)) is not None:
            rule, one = claimed
            await self._try(rule, one, BACK_OFF[one["attempts"]] if one["attempts"] < len(BACK_OFF) else None)

    async def test(self, rule: Mapping[str, Any], one: Mapping[str, Any]) -> None:
        """A delivery that somebody waits for: once, and now."""
        now = self._context.clock.now()
        values = {**one, "attempts": 1, "next_at": now + CLAIM_SECONDS}
        await self._context.records.write(lambda connection: connection.execute(deliveries.insert(), values))
        await self._try(rule, one, None)

    async def _claim(self, rule_id: str) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        now = self._context.clock.now()

        def claim(connection: Connection) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
            rule = row(connection, notice_rules, rule_id)
            pending = (deliveries.c.rule_id == rule_id, deliveries.c.state == "PENDING", deliveries.c.next_at <= now)
            query = select(deliveries).where(*pending).order_by(deliveries.c.created_at, deliveries.c.id).limit(1)
            one = connection.execute(query).mappings().first()
            if rule is None or one is None:
                return None
            taking = deliveries.update().where(deliveries.c.id == one["id"], *pending)
            taken = connection.execute(taking.values(attempts=one["attempts"] + 1, next_at=now + CLAIM_SECONDS))
            return (dict(rule), dict(one)) if taken.rowcount else None

        return await self._context.records.write(claim)

    async def _try(self, rule: Mapping[str, Any], one: Mapping[str, Any], again_after: float | None) -> None:
        try:
            remark = await self._send(rule, one)
        except NotTaken as failure:
            values = self._failed(str(failure), None if failure.final else again_after, one["attempts"] + 1)
        except Exception:
            log.exception("the notice %s cannot be sent", one["id"])
            values = self._failed("Fairway failed on it; its log says more", again_after, one["attempts"] + 1)
        else:
            values = {"state": "DELIVERED", "error_message": remark}
        settling = deliveries.update().where(deliveries.c.id == one["id"], deliveries.c.state == "PENDING")
        await self._context.records.write(lambda connection: connection.execute(settling.values(**values)))

    def _failed(self, why: str, again_after: float | None, tries: int) -> dict[str, Any]:
        if again_after is not None:
            return {"next_at": self._context.clock.now() + again_after, "error_message": why}
        return {"state": "FAILED", "error_message": f"given up after {tries} tries: {why}" if tries > 1 else why}

    async def _send(self, rule: Mapping[str, Any], one: Mapping[str, Any]) -> str:
        """Raises NotTaken. Gives what is to be remarked of a delivery that arrived."""
        target, told = rule["target"], one["body"]
        if rule["channel"] == rules.EMAIL:
            failed = told["event"] == "FAILED"
            failure = await failures.first(self._context, one["run_id"]) if failed else None
            text = wording.letter(told, failure)
            return await self.letters.send(one["id"], target["to"], wording.subject(told), text, one["created_at"])
        secret = await self._secret(rule["namespace"], target) if target.get("secret_name") else None
        anywhere = target.get("anywhere", False) or self._context.settings.notices_to_private_addresses
        await webhooks.post(target, told, secret, anywhere=anywhere)
        return ""

    async def _secret(self, namespace: str, target: Mapping[str, Any]) -> bytes:
        """Read when it is needed, and kept nowhere. Raises NotTaken."""
        name, key = target["secret_name"], target["secret_key"]
        try:
            found = await self._context.client.find(SECRET, name, namespace)
        except errors.ApiError as failure:
            raise NotTaken(f"the Secret {name} cannot be read: {failure.reason}") from None
        data = (found or {}).get("data") or {}
        if key not in data:
            raise NotTaken(f"there is no Secret {name} with the key {key} in the namespace {namespace}")
        try:
            return base64.b64decode(data[key], validate=True)
        except binascii.Error:
            raise NotTaken(f"the key {key} of the Secret {name} does not hold base64") from None
