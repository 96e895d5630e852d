"""Asks one service: with the headers that go on, within its time, again where it could not be reached.

What no service answered is an answer of the router's own, with a status that says so: 503 where it cannot be reached,
504 where it takes too long, 502 where it breaks off. So a Soft step that is away is a step that failed, and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fairway.serving.graphs.router import chaining
from fairway.serving.graphs.router.chaining import Payload
from fairway.serving.graphs.router.plan import Step
from fairway.serving.inpod.relay.asking import Answering, Unanswered, Web

_AGAIN = (502, 503, 504)
_PAUSE = 0.05
_PASSED_BACK = (*chaining.OF_THE_BODY, "cache-control", "retry-after")


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, whole; or its beginning, with the rest in `rest`. `final`: the graph itself cannot go on."""

    status: int
    payload: Payload = field(default_factory=lambda: Payload(b"", {}))
    headers: Mapping[str, str] = field(default_factory=dict)
    rest: Answering | None = None
    final: bool = False

    @property
    def fine(self) -> bool:
        return 200 <= self.status <= 299


class Steps:
    """`token` gives the pod's own token, for services of the platform."""

    def __init__(self, web: Web, limit: float | None, token: Callable[[], str]) -> None:
        self._web, self._limit, self._token = web, limit, token

    async def ask(self, step: Step, request: Payload, headers: Mapping[str, str], *, streams: bool) -> Outcome:
        """`streams` leaves the answer's body unread."""
        sent = {**headers, "content-type": chaining.JSON, **request.headers}
        if step.authorize and "authorization" not in sent and (token := self._token()):
            sent["authorization"] = f"Bearer {token}"
        outcome = await self._once(step, request, sent, streams=streams)
        for number in range(step.retries):
            if outcome.status not in _AGAIN:
                break
            if outcome.rest:
                outcome.rest.close()
            await asyncio.sleep(_PAUSE * 2**number)
            outcome = await self._once(step, request, sent, streams=streams)
        return outcome

    async def _once(self, step: Step, request: Payload, headers: Mapping[str, str], *, streams: bool) -> Outcome:
        limit = step.timeout or self._limit
        try:
            async with asyncio.timeout(limit):
                answer = await self._web.open("POST", step.url, headers, request.body)
                passed = {name: answer.head.headers[name] for name in _PASSED_BACK if name in answer.head.headers}
                if streams:
                    return Outcome(answer.head.status, headers=passed, rest=answer)
                return Outcome(answer.head.status, chaining.payload(await answer.whole(), passed), passed)
        except TimeoutError:
            return failed(504, f"The step {step.name or step.url} gave no answer within {limit:g} seconds.")
        except Unanswered as failure:
            return failed(502 if failure.sent else 503, f"The step {step.name or step.url}: {failure}.")


def failed(status: int, cause: str, *, final: bool = False) -> Outcome:
    """An error in the shape of KServe's router."""
    told = chaining.of_document({"error": "Failed to process request", "cause": cause})
    return Outcome(status, told, told.headers, final=final)
