"""KServe's batcher: rows of several V1 requests laid together into one for the container, its answer cut again.

A batch goes when it is full or its first row has waited long enough; several are under way at once. An answer is
`{"message", "batchId", "predictions"}`. Beyond upstream, what the container refuses keeps its own status; where one
of several requests in a batch is bad, each is asked again by itself, so that nobody pays for another's mistake.
"""

from __future__ import annotations

import asyncio
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from fairway.serving.inpod import http1, messages
from fairway.serving.inpod.messages import Answer, Refusal, encode
from fairway.serving.inpod.relay.asking import Reply, Unanswered, Web
from fairway.serving.inpod.relay.inbound import Call
from fairway.serving.inpod.sidecar.gate import Gate
from fairway.serving.inpod.sidecar.journal import Entry

MOST_BODY = 64 * 1024 * 1024
_IN_A_PATH = "/:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class Terms:
    rows: int = 32
    latency: float = 5.0
    """Seconds that the first row of a batch waits for more."""
    timeout: float = 0.0
    """Seconds for the container's answer; 0 waits for ever."""


@dataclass(eq=False, slots=True)
class Share:
    """The rows of one request, as they go into the batch, and who is told what became of them."""

    count: int
    rows: bytes
    respond: Callable[[Answer], None]
    wanted: bool = True


@dataclass(slots=True)
class _Batch:
    path: str
    shares: list[Share] = field(default_factory=list)
    size: int = 0
    timer: asyncio.TimerHandle | None = None


class Batcher:
    def __init__(self, web: Web, container: str, terms: Terms) -> None:
        """`container` is the beginning of its address, as in http://127.0.0.1:8080."""
        self._web, self._container, self._terms = web, container, terms
        self._open: dict[str, _Batch] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self.batches = self.rows = 0

    def take(self, path: str, share: Share) -> None:
        batch = self._open.get(path)
        if batch is None:
            batch = self._open[path] = _Batch(path)
            batch.timer = asyncio.get_running_loop().call_later(self._terms.latency, self._go, batch)
        batch.shares.append(share)
        batch.size += share.count
        if batch.size >= self._terms.rows:
            self._go(batch)

    def flush(self) -> None:
        for batch in tuple(self._open.values()):
            self._go(batch)

    def _go(self, batch: _Batch) -> None:
        if batch.timer:
            batch.timer.cancel()
        del self._open[batch.path]
        shares = [share for share in batch.shares if share.wanted]
        if shares:
            task = asyncio.get_running_loop().create_task(self._predict(batch.path, shares))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _predict(self, path: str, shares: list[Share]) -> None:
        count = sum(share.count for share in shares)
        self.batches += 1
        self.rows += count
        try:
            reply = await self._web.ask(
                "POST",
                self._container + path,
                {"content-type": messages.JSON},
                b'{"instances":[' + b",".join(share.rows for share in shares) + b"]}",
                timeout=self._terms.timeout or None,
            )
            answers = _cut(shares, _predictions(reply, count))
        except _Failed as failed:
            if failed.answer.status < 500 and len(shares) > 1:
                await asyncio.gather(*(self._predict(path, [share]) for share in shares))
                return
            _tell(shares, failed.answer)
        except Unanswered as failure:
            _tell(shares, Refusal(504 if failure.sent else 503, f"The container does not answer: {failure}.").answer())
        except Exception as broken:  # whatever it is, nobody is left waiting for ever
            traceback.print_exception(broken)
            _tell(shares, Refusal(500, f"The sidecar failed: {type(broken).__name__}: {broken}").answer())
        else:
            for share, answer in zip(shares, answers, strict=True):
                share.respond(answer)


class Gathered:
    """One request for the batcher: its body is held until it is whole. A `Taker`."""

    def __init__(self, call: Call, batcher: Batcher, gate: Gate, entry: Entry | None) -> None:
        """Raises Refusal where the gate has no room."""
        self._call, self._batcher, self._gate, self._entry = call, batcher, gate, entry
        self._parts: list[bytes] = []
        self._size = 0
        self._share: Share | None = None
        self._is_whole = False
        call.arriving.copy = self._take
        self._ticket = gate.come(self._go)

    def body(self, raw: bytes) -> None:
        """It is taken without its chunks."""

    def end(self) -> None:
        self._is_whole = True
        if self._entry:
            self._entry.request_is_whole()
        if self._ticket.entered:
            self._go()

    def gone(self) -> None:
        if self._share:
            self._share.wanted = False
        self._gate.leave(self._ticket)

    def client_slow(self, slow: bool) -> None:
        """The answer is small and is sent at once."""

    def _take(self, payload: bytes) -> None:
        self._size += len(payload)
        if self._size <= MOST_BODY:
            self._parts.append(payload)
        if self._entry:
            self._entry.of_request(payload)

    def _go(self) -> None:
        if not self._is_whole:
            return
        try:
            rows = self._rows()
            self._share = Share(len(rows), _written(rows), self._respond)
            self._batcher.take(quote(self._call.head.path, safe=_IN_A_PATH), self._share)
        except Refusal as refusal:
            self._respond(refusal.answer())

    def _rows(self) -> list[Any]:
        if self._size > MOST_BODY:
            raise http1.too_large(MOST_BODY)
        body = b"".join(self._parts)
        encoding = self._call.head.headers.get("content-encoding", "")
        rows = messages.decode(http1.decompress(body, encoding, MOST_BODY) if encoding else body).get("instances")
        if not isinstance(rows, list) or not rows:
            raise Refusal(400, "The request has no instances: send {'instances': [...]} with at least one row.")
        return rows

    def _respond(self, answer: Answer) -> None:
        self._gate.leave(self._ticket)
        if self._entry:
            self._entry.answer_begins(answer.status, {"content-type": answer.content_type})
            self._entry.of_answer(answer.body)
            self._entry.answer_is_whole()
        self._call.answer(answer)


class _Failed(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def _written(rows: list[Any]) -> bytes:
    """Without the brackets around them, so that those of several requests can be laid together."""
    try:
        return encode(rows)[1:-1]
    except TypeError:  # it reads what is nested more deeply than what it writes
        raise Refusal(400, "The rows are nested too deeply.") from None


def _predictions(reply: Reply, count: int) -> list[Any]:
    if reply.status != 200:
        raise _Failed(Answer(reply.status, reply.body, reply.headers.get("content-type", messages.JSON)))
    try:
        predictions = orjson.loads(reply.body)["predictions"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise _Failed(Refusal(500, "The container's answer to a batch has no predictions.").answer()) from None
    if not isinstance(predictions, list) or len(predictions) != count:
        text = f"The container gave {len(predictions)} predictions for the {count} rows of a batch."
        raise _Failed(Refusal(500, text).answer())
    return predictions


def _cut(shares: list[Share], predictions: list[Any]) -> list[Answer]:
    """The answer to each."""
    batch, start = str(uuid.uuid4()), 0
    answers = []
    for share in shares:
        end = start + share.count
        body = {"message": "", "batchId": batch, "predictions": predictions[start:end]}
        answers.append(Answer(200, encode(body)))
        start = end
    return answers


def _tell(shares: list[Share], answer: Answer) -> None:
    for share in shares:
        share.respond(answer)
