"""What the names of expressions are worth for one request; which names there are is in `request_expressions`."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.admission.webhooks import review
from fairway.cluster.api.authorizing.attempts import Attempt
from fairway.cluster.api.authorizing.grants import Grants
from fairway.cluster.api.cel.library.authorizers import Answer, Authorizer, Question, ResourceCheck
from fairway.cluster.api.registry import Served
from fairway.kernel.feature import Identity
from fairway.kernel.objects.kinds import Object

_PATIENCE = 30.0
"""Seconds, after which the server is not there any more."""


def values(
    request: Request, seen_as: Served, new: Object | None, old: Object | None, namespace: Object | None, grants: Grants
) -> dict[str, Any]:
    """What the names are worth for one request; `new` and `old` are as whoever asks wants to see them."""
    asked = review.question(request, seen_as, None, None)["request"]
    asked.setdefault("namespace", "")
    for key in ("subResource", "requestSubResource"):
        asked.setdefault(key, "")
    authorizer = Authorizer(_answering(grants, request.call.identity))
    kind = request.call.served.resource.kind
    own = Question(
        group=kind.group,
        resource=kind.plural,
        subresource=request.subresource,
        namespace=request.namespace,
        name=request.call.name,
    )
    return {
        "object": new,
        "oldObject": old,
        "request": asked,
        "authorizer": authorizer,
        "authorizer.requestResource": ResourceCheck(authorizer.answer, own),
        "namespaceObject": namespace,
    }


def _answering(grants: Grants, sender: Identity) -> Answer:
    """Permissions belong to the event loop: an expression that runs aside asks there, and waits."""
    loop, home = asyncio.get_running_loop(), threading.get_ident()

    def answer(question: Question) -> tuple[bool, str]:
        if threading.get_ident() == home:
            return _answer(grants, sender, question)
        given: Future[tuple[bool, str]] = Future()

        def ask() -> None:
            try:
                given.set_result(_answer(grants, sender, question))
            except Exception as problem:  # whoever waits is told
                given.set_exception(problem)

        loop.call_soon_threadsafe(ask)
        return given.result(_PATIENCE)

    return answer


def _answer(grants: Grants, sender: Identity, question: Question) -> tuple[bool, str]:
    identity = sender
    if question.user:
        _, _, namespace, _ = question.user.split(":")
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        identity = Identity(question.user, groups)
    attempt = Attempt(
        question.verb,
        question.group,
        question.resource,
        question.namespace,
        question.name,
        question.subresource,
        question.path,
    )
    answer = grants.answer(identity, attempt)
    return answer.allowed, answer.reason
