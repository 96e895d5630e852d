"""Tokens: signed, so that the gateway and others can check them by the published key alone.

An `Issuer` makes and checks JWTs (ES256) with a key made at first start. What a token says is who it is and
until when: the claims sub (user), groups, iss, aud, iat, exp.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fairway.kernel.feature import Identity
from fairway.kernel.objects.errors import Unauthorized

ISSUER = "https://kubernetes.default.svc"
AUDIENCE = "fairway"
ALGORITHM = "ES256"
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"

_CACHED = 4096


class Proof(NamedTuple):
    """What a token says, and for whom it speaks."""

    claims: dict[str, Any]
    identity: Identity


class Issuer:
    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._public = key.public_key()
        self._key_id = _key_id(self._public)
        self._known: dict[tuple[str, str], Proof] = {}

    @classmethod
    def load(cls, folder: Path) -> Issuer:
        """The issuer whose key lies in `folder`; at first start the key is made."""
        path = folder / "token.key"
        if not path.exists():
            _write_key(path)
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{path} is not an elliptic curve key: move it away and a new one is made")
        return cls(key)

    def mint(
        self,
        user: str,
        groups: Sequence[str] = (),
        *,
        seconds: float,
        audiences: Sequence[str] = (),
        extra: dict[str, Any] | None = None,
    ) -> str:
        """A token for `user` that is valid for `seconds`."""
        now = int(time.time())
        claims = {
            **(extra or {}),
            "iss": ISSUER,
            "sub": user,
            "groups": list(groups),
            "aud": list(audiences) or [AUDIENCE],
            "iat": now,
            "nbf": now - 5,
            "exp": now + int(seconds),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._key_id})

    def verify(self, token: str, *, audience: str = AUDIENCE) -> Identity:
        """Who the token is for. Raises Unauthorized."""
        return self.proof(token, audience=audience).identity

    def claims(self, token: str, *, audience: str = AUDIENCE) -> dict[str, Any]:
        """All that the token says. Raises Unauthorized."""
        return self.proof(token, audience=audience).claims

    def proof(self, token: str, *, audience: str = AUDIENCE) -> Proof:
        """What the token says, and for whom. Raises Unauthorized. A token seen before costs a look into a table."""
        known = self._known.get((token, audience))
        if known is not None:
            if known.claims["exp"] > time.time():
                return known
            del self._known[token, audience]
        try:
            found: dict[str, Any] = jwt.decode(
                token,
                self._public,
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=ISSUER,
                options={"require": ["exp", "sub"]},
            )
        except jwt.PyJWTError:
            raise Unauthorized("Unauthorized") from None
        if len(self._known) >= _CACHED:
            self._known.pop(next(iter(self._known)))
        proof = self._known[token, audience] = Proof(found, identity_of(found))
        return proof

    def jwks(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set."""
        numbers = self._public.public_numbers()
        key = {
            "use": "sig",
            "kty": "EC",
            "kid": self._key_id,
            "crv": "P-256",
            "alg": ALGORITHM,
            "x": _base64(numbers.x.to_bytes(32, "big")),
            "y": _base64(numbers.y.to_bytes(32, "big")),
        }
        return {"keys": [key]}

    def discovery(self) -> dict[str, Any]:
        """The OpenID document that says where the keys are."""
        return {
            "issuer": ISSUER,
            "jwks_uri": f"{ISSUER}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
        }


def identity_of(claims: dict[str, Any]) -> Identity:
    user = str(claims["sub"])
    groups = groups_of(user, [str(group) for group in claims.get("groups") or ()])
    bound = claims.get("kubernetes.io") or {}
    uid = str((bound.get("serviceaccount") or {}).get("uid") or "")
    return Identity(user, groups, uid, tuple(_extra(claims, bound)))


def _extra(claims: dict[str, Any], bound: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What upstream tells of a service account's token: which one it is, and the pod it is for."""
    if bound and claims.get("jti"):
        yield "authentication.kubernetes.io/credential-id", (f"JTI={claims['jti']}",)
    for kind in ("pod", "node"):
        for key, value in sorted((bound.get(kind) or {}).items()):
            if value:
                yield f"authentication.kubernetes.io/{kind}-{key}", (str(value),)


def groups_of(user: str, groups: Iterable[str]) -> tuple[str, ...]:
    """The groups that somebody says, and those that come with being a service account and with being known at all."""
    namespace = Identity(user).bound_to
    own = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}") if namespace else ()
    return tuple(dict.fromkeys((*groups, *own, AUTHENTICATED)))


def _key_id(key: ec.EllipticCurvePublicKey) -> str:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _base64(hashlib.sha256(der).digest())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _write_key(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(path, pem)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    half = path.with_name(f"{path.name}.{os.getpid()}.new")
    half.unlink(missing_ok=True)  # of a process with this number that was killed while it wrote
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
