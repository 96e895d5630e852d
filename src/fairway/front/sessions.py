"""What a browser holds after login: a signed cookie, and before it a link that opens the door once.

The cookie carries the identity and its end, signed with a key kept in the state folder, so that a restart logs
nobody out. A session that was left is noted beside the key until its end, so that a copy of its cookie is worth
nothing. Deleting the key file logs everybody out. One-time links live in memory only.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from fairway.kernel.clock import Clock
from fairway.kernel.feature import Identity

SESSION_SECONDS = 12 * 3600
LINK_SECONDS = 5 * 60
_MOST_LINKS = 1000


class Sessions:
    def __init__(self, key_file: Path, clock: Clock) -> None:
        self._clock = clock
        self._left_file = key_file.with_suffix(".left")
        self._left: dict[str, float] = {}
        """The ids of the sessions that were left, and when each would have ended."""
        try:
            self._left |= json.loads(self._left_file.read_text())
        except FileNotFoundError:
            pass
        except (TypeError, ValueError):  # cut off by a power failure: nobody knows who left, so all begin anew
            key_file.unlink(missing_ok=True)
        self._key = _key(key_file)

    def issue(self, identity: Identity) -> str:
        claims = {
            "jti": secrets.token_urlsafe(16),
            "sub": identity.user,
            "groups": list(identity.groups),
            "exp": self._clock.now() + SESSION_SECONDS,
        }
        return jwt.encode(claims, self._key, algorithm="HS256")

    def check(self, cookie: str) -> Identity | None:
        """Who the cookie was issued to, or None where it is forged or over."""
        claims = self._claims(cookie)
        return Identity(claims["sub"], tuple(claims.get("groups") or ())) if claims else None

    def end(self, cookie: str) -> None:
        """From now on the cookie is worth nothing, whoever has a copy."""
        claims = self._claims(cookie)
        if claims is None:
            return
        now = self._clock.now()
        self._left = {id_: ends for id_, ends in self._left.items() if ends > now} | {claims["jti"]: claims["exp"]}
        half = self._left_file.with_suffix(".new")
        half.write_text(json.dumps(self._left))
        half.replace(self._left_file)

    def _claims(self, cookie: str) -> dict[str, Any] | None:
        try:
            # The end is compared with our own clock below: PyJWT would ask the system's.
            claims: dict[str, Any] = jwt.decode(
                cookie, self._key, algorithms=["HS256"], options={"require": ["jti", "sub", "exp"], "verify_exp": False}
            )
        except jwt.InvalidTokenError:
            return None
        over = claims["exp"] <= self._clock.now() or claims["jti"] in self._left
        return None if over else claims


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
