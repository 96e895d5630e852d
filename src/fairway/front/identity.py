"""Who a bearer token belongs to, as the API server says by TokenReview. Answers are believed for a minute.

Tokens themselves are not kept, only their digests.
"""

from __future__ import annotations

import hashlib

from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.feature import Identity
from fairway.kernel.objects.kinds import TOKEN_REVIEW

MASTERS = "system:masters"
_SERVICE_ACCOUNT = "system:serviceaccount:"
_BELIEVED_SECONDS = 60.0
_MOST_REMEMBERED = 1000
_LONGEST_TOKEN = 16 * 1024


def is_owner(identity: Identity) -> bool:
    """May use everything."""
    return MASTERS in identity.groups


def is_workload(identity: Identity) -> bool:
    """A service account: a pipeline's step, a notebook. May use the features' own APIs."""
    return identity.user.startswith(_SERVICE_ACCOUNT)


class Reviewer:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._known: dict[bytes, tuple[Identity, float]] = {}

    async def identify(self, token: str) -> Identity | None:
        """None where nobody stands behind the token. Raises ApiError when the API server does not answer."""
        if not token or len(token) > _LONGEST_TOKEN:
            return None
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known and known[1] > self._clock.now():
            return known[0]
        identity = await self._review(token)
        if identity:
            while len(self._known) >= _MOST_REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[digest] = (identity, self._clock.now() + _BELIEVED_SECONDS)
        else:
            self._known.pop(digest, None)
        return identity

    async def _review(self, token: str) -> Identity | None:
        review = {"apiVersion": TOKEN_REVIEW.api_version, "kind": TOKEN_REVIEW.kind, "spec": {"token": token}}
        status = (await self._client.create(TOKEN_REVIEW, review)).get("status") or {}
        user = status.get("user") or {}
        if status.get("authenticated") is not True or not user.get("username"):
            return None
        return Identity(user["username"], tuple(user.get("groups") or ()))
