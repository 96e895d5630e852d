"""Whose a token or a certificate is, and whether what a token is bound to still exists.

The issuer knows what it signed; the store knows whether the service account and the pod, Secret or Node that a token
names are still there. A pod's token ends with the pod.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fairway.cluster.api.backend import Backend
from fairway.cluster.api.identity import tokens
from fairway.cluster.api.identity.tokens import AUDIENCE
from fairway.cluster.store.protocol import Key
from fairway.kernel.feature import Identity
from fairway.kernel.objects.errors import Unauthorized
from fairway.kernel.objects.kinds import NODE, POD, SECRET, SERVICE_ACCOUNT

_BOUND = (("serviceaccount", SERVICE_ACCOUNT), ("pod", POD), ("secret", SECRET), ("node", NODE))


def identify(backend: Backend, token: str, *, audience: str = AUDIENCE) -> Identity:
    """Raises Unauthorized."""
    proof = backend.issuer.proof(token, audience=audience)
    if bound := proof.claims.get("kubernetes.io"):
        _still_there(backend, bound)
    return proof.identity


def of_certificate(peer: Mapping[str, Any]) -> Identity | None:
    """Whom a client's certificate names, as TLS has verified it: CN is the user, each O a group."""
    named = [pair for part in peer.get("subject") or () for pair in part]
    user = next((value for key, value in named if key == "commonName"), "")
    if not user or ssl.cert_time_to_seconds(peer["notAfter"]) < time.time():  # a connection may outlive it
        return None
    groups = (value for key, value in named if key == "organizationName")
    return Identity(user, tuple(dict.fromkeys((*groups, tokens.AUTHENTICATED))))


def authenticated(identity: Identity) -> Identity:
    """With the groups that an identity has by its name, and the group of everybody who is known."""
    return replace(identity, groups=tokens.groups_of(identity.user, identity.groups))


def _still_there(backend: Backend, bound: dict[str, Any]) -> None:
    for word, kind in _BOUND:
        reference = bound.get(word)
        if not reference or (kind == NODE and "pod" in bound):  # where a pod runs is told, and binds nothing
            continue
        namespace = bound.get("namespace", "") if kind.namespaced else ""
        record = backend.store.get(Key(kind.resource, namespace, reference.get("name", "")))
        if record is None or record.object["metadata"].get("uid") != reference.get("uid"):
            raise Unauthorized("Unauthorized")
