"""Requests to the router: each is taken whole, goes through the graph, and its answer goes back as it comes.

A client that leaves ends its walk, and with it what its steps are still asked.
"""

from __future__ import annotations

import asyncio
import traceback

from fairway.serving.graphs.router import chaining, plan, propagation, steps
from fairway.serving.graphs.router.chaining import Payload
from fairway.serving.graphs.router.plan import Plan
from fairway.serving.graphs.router.propagation import Patterns
from fairway.serving.graphs.router.steps import Outcome, Steps
from fairway.serving.graphs.router.walking import Walk
from fairway.serving.inpod import http1
from fairway.serving.inpod.messages import Answer, Refusal
from fairway.serving.inpod.relay.asking import Answering, Unanswered
from fairway.serving.inpod.relay.inbound import Call

MOST_BODY = 256 * 1024 * 1024


class Router:
    """The application. `draining` makes it not ready while it still answers."""

    def __init__(self, graph: Plan, services: Steps, patterns: Patterns) -> None:
        self.graph, self._services, self._patterns = graph, services, patterns
        self.draining = False

    def __call__(self, call: Call) -> Whole | None:
        if call.head.path == "/readyz":
            call.answer(Answer(503, b'{"error":"shutting down"}') if self.draining else Answer(200, b"{}"))
            return None
        return Whole(self, call)

    async def answer(self, call: Call, body: bytes) -> None:
        try:
            request = _request(call, body)
        except Refusal as refusal:
            call.answer(refusal.answer())
            return
        walk = Walk(self.graph, self._services, propagation.chosen(call.head.headers, self._patterns))
        limit = self.graph.timeouts.write
        try:
            async with asyncio.timeout(limit):
                outcome = await walk.node(plan.ROOT, request, streams=True)
        except TimeoutError:
            outcome = steps.failed(504, f"The graph gave no answer within {limit:g} seconds.")
        except Exception as broken:  # what a service answered may be anything, and its client waits
            traceback.print_exception(broken)
            outcome = steps.failed(500, f"The router failed: {type(broken).__name__}: {broken}")
        await _answer(call, outcome)


class Whole:
    """A request whose body is held until it is whole. A `Taker`."""

    def __init__(self, router: Router, call: Call) -> None:
        self._router, self._call = router, call
        self._parts: list[bytes] = []
        self._size = 0
        self._walking: asyncio.Task[None] | None = None
        call.arriving.copy = self._take

    def body(self, raw: bytes) -> None:
        """It is taken without its chunks."""

    def end(self) -> None:
        if self._size > MOST_BODY:
            self._call.answer(http1.too_large(MOST_BODY).answer())
            return
        body = b"".join(self._parts)
        self._walking = asyncio.get_running_loop().create_task(self._router.answer(self._call, body))

    def gone(self) -> None:
        if self._walking:
            self._walking.cancel()

    def client_slow(self, slow: bool) -> None:
        self._call.slow(slow)

    def _take(self, payload: bytes) -> None:
        self._size += len(payload)
        if self._size <= MOST_BODY:
            self._parts.append(payload)


def _request(call: Call, body: bytes) -> Payload:
    """The body as steps get it, unpacked. Raises Refusal."""
    headers = dict(call.head.headers)
    encoding = headers.pop("content-encoding", "")
    return chaining.payload(http1.decompress(body, encoding, MOST_BODY) if encoding else body, headers)


async def _answer(call: Call, outcome: Outcome) -> None:
    if outcome.rest:
        await _stream(call, outcome, outcome.rest)
        return
    headers = {name: value for name, value in outcome.headers.items() if name != "content-type"}
    content_type = outcome.headers.get("content-type", chaining.JSON)
    call.answer(Answer(outcome.status, outcome.payload.body, content_type, headers))


async def _stream(call: Call, outcome: Outcome, rest: Answering) -> None:
    """Its length is the origin's where that told it, else it goes in chunks."""
    length = rest.head.length
    keep = call.keeps
    lines = "".join(f"{name}: {value}\r\n" for name, value in outcome.headers.items())
    framed = f"content-length: {length}\r\n" if length >= 0 else "transfer-encoding: chunked\r\n"
    last = "" if keep else "connection: close\r\n"
    call.write(
        f"HTTP/1.1 {outcome.status} {rest.head.reason.decode('latin-1')}\r\n{lines}{framed}{last}\r\n".encode("latin-1")
    )
    try:
        async for piece in rest.pieces():
            call.write(piece if length >= 0 else b"%x\r\n%b\r\n" % (len(piece), piece))
            await call.room()
    except Unanswered:
        call.break_off()
        return
    if length < 0:
        call.write(b"0\r\n\r\n")
    call.finish(keep=keep)
