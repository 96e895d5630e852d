"""What a browser holds after login: a signed cookie, and before it a link that opens the door once.

The cookie carries the identity and its end, signed with a key kept in the state folder, so that a restart logs
nobody out. Deleting the key file logs everybody out. One-time links live in memory only.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import jwt

from fairway.kernel.clock import Clock
from fairway.kernel.feature import Identity

SESSION_SECONDS = 12 * 3600
LINK_SECONDS = 5 * 60
_MOST_LINKS = 1000


class Sessions:
    def __init__(self, key_file: Path, clock: Clock) -> None:
        self._key = _key(key_file)
        self._clock = clock

    def issue(self, identity: Identity) -> str:
        claims = {"sub": identity.user, "groups": list(identity.groups), "exp": self._clock.now() + SESSION_SECONDS}
        return jwt.encode(claims, self._key, algorithm="HS256")

    def check(self, cookie: str) -> Identity | None:
        """Who the cookie was issued to, or None where it is forged or over."""
        try:
            # The end is compared with our own clock below: PyJWT would ask the system's.
            claims = jwt.decode(
                cookie, self._key, algorithms=["HS256"], options={"require": ["sub", "exp"], "verify_exp": False}
            )
        except jwt.InvalidTokenError:
            return None
        if claims["exp"] <= self._clock.now():
            return None
        return Identity(claims["sub"], tuple(claims.get("groups") or ()))


@dataclass(frozen=True)
class _Link:
    identity: Identity
    ends: float


class OneTimeLinks:
    """Tokens that are good for one login within five minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._links: dict[str, _Link] = {}

    def issue(self, identity: Identity) -> str:
        self._drop_old()
        token = secrets.token_urlsafe(32)
        self._links[token] = _Link(identity, self._clock.now() + LINK_SECONDS)
        return token

    def redeem(self, token: str) -> Identity | None:
        link = self._links.pop(token, None)
        return link.identity if link and link.ends > self._clock.now() else None

    def _drop_old(self) -> None:
        now = self._clock.now()
        alive = [(token, link) for token, link in self._links.items() if link.ends > now]
        self._links = dict(alive[-_MOST_LINKS:])


def _key(path: Path) -> bytes:
    """The signing key, made at first use and readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) >= 32:
            return key
        # Cut short by a crash or a full disk: make it again.
        path.unlink()
        return _key(path)
    key = secrets.token_bytes(32)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    return key
