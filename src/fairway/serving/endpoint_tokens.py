"""Endpoint tokens: made, listed and taken back. Each opens one service, one graph, or all of a namespace.

A token is a Kubernetes token of the namespace's service account with an audience of its own, bound to a Secret that
says what it opens and holds nothing. The gateway checks both (`cluster/network/guards`); no other door knows the
audience. Whoever deletes the Secret takes the token back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock, parse, timestamp
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import SECRET, SERVICE_ACCOUNT, Object

LABEL = "fairway.dev/endpoint-token"
OPENS = "fairway.dev/opens"
ENDS = "fairway.dev/ends"
AUDIENCE = "fairway-endpoint"
ALL = "*"
ACCOUNT = "default"

SHORTEST, LONGEST = timedelta(minutes=10), timedelta(days=365)


class Refused(Exception):
    """The text is a sentence."""


@dataclass(frozen=True, slots=True)
class EndpointToken:
    """`opens` are names of services, graph/NAME for graphs, or * for all of the namespace."""

    name: str
    namespace: str
    opens: tuple[str, ...]
    ends: str


async def create(
    client: Client, clock: Clock, name: str, namespace: str, opens: Sequence[str], lasts: timedelta
) -> tuple[EndpointToken, str]:
    """What was made, and the token, which nobody can be told again. Raises Refused."""
    if not SHORTEST <= lasts <= LONGEST:
        raise Refused("A token lasts from 10 minutes to a year; choose a time between them.")
    ends = timestamp(clock.now() + lasts.total_seconds())
    metadata = {"labels": {LABEL: "true"}, "annotations": {OPENS: ",".join(opens), ENDS: ends}}
    secret = SECRET.new(name, namespace, metadata=metadata, type="fairway.dev/endpoint-token")
    try:
        made = await client.create(SECRET, secret)
    except errors.AlreadyExists:
        raise Refused(f"There is a Secret {name} in {namespace}; choose another name, or revoke it first.") from None
    except errors.NotFound:
        raise Refused(f"There is no namespace {namespace}; make it first.") from None
    bound = {"kind": "Secret", "apiVersion": "v1", "name": name, "uid": meta.uid(made)}
    spec = {"audiences": [AUDIENCE], "expirationSeconds": int(lasts.total_seconds()), "boundObjectRef": bound}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    try:
        path = SERVICE_ACCOUNT.path(namespace, ACCOUNT, "token")
        answer = await client.transport.request("POST", path, body=request)
    except errors.ApiError:
        await client.delete(SECRET, name, namespace)
        raise
    return _read(made), str(answer["status"]["token"])


async def everyone(client: Client, clock: Clock) -> list[EndpointToken]:
    """Those of all namespaces that have not ended."""
    found = (await client.list(SECRET, labels=LABEL)).items
    tokens = map(_read, sorted(found, key=meta.key))
    return [one for one in tokens if not one.ends or parse(one.ends) > clock.now()]


async def revoke(client: Client, name: str, namespace: str) -> None:
    """Raises Refused."""
    found = await client.find(SECRET, name, namespace)
    if found is None or LABEL not in meta.labels(found):
        raise Refused(f"There is no endpoint token {name} in {namespace}; `fairway tokens list` shows all.")
    await client.delete(SECRET, name, namespace, uid=meta.uid(found))


def _read(secret: Object) -> EndpointToken:
    given = meta.annotations(secret)
    opens = tuple(part for part in given.get(OPENS, "").split(",") if part)
    return EndpointToken(meta.name(secret), meta.namespace(secret), opens, given.get(ENDS, ""))
