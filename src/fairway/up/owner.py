"""The token of whoever started the platform: in the kubeconfig, where commands and clients read it.

It ends, so that a copy of it does; and a platform may run for longer, so another takes its place halfway.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from fairway.cluster.api.identity.tokens import Issuer
from fairway.kernel.clock import Clock
from fairway.kernel.feature import Identity

log = logging.getLogger(__name__)

ADMIN = Identity("fairway:admin", ("system:masters", "system:authenticated"))
SECONDS = 30 * 24 * 3600
_LOOK_SECONDS = 3600.0
"""A machine that slept has a clock that sleeps: the time of day is looked at."""


class OwnerToken:
    def __init__(self, issuer: Issuer, clock: Clock, written: Callable[[str], None]) -> None:
        """`written` puts a new one where it is read."""
        self._issuer, self._clock, self._written = issuer, clock, written
        self._made_at, self._token = 0.0, ""
        self._renew()

    def now(self) -> str:
        return self._token

    async def keep(self) -> None:
        """For ever."""
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            if 0 <= self._clock.now() - self._made_at < SECONDS / 2:
                continue
            try:
                self._renew()
            except OSError as problem:  # a full disk: the old one is good for days
                log.warning("the token of the kubeconfig is not renewed yet: %s", problem)

    def _renew(self) -> None:
        token = self._issuer.mint(ADMIN.user, ADMIN.groups, seconds=SECONDS)
        self._written(token)
        self._made_at, self._token = self._clock.now(), token
