"""One request carried on to the container, and its answer back, each byte as it comes.

It enters by the gate first; while it waits, no more of its body is taken. A client that leaves takes its request back
from the container. What is recorded is copied on the way and holds nothing up.
"""

from __future__ import annotations

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.relay import framing
from fairway.serving.inpod.relay.framing import AnswerHead
from fairway.serving.inpod.relay.inbound import Call
from fairway.serving.inpod.relay.outbound import Origin, Sending
from fairway.serving.inpod.sidecar.gate import Gate
from fairway.serving.inpod.sidecar.journal import Entry


class Carried:
    """A `Taker` of the client's side and an `Asker` of the container's."""

    def __init__(self, call: Call, container: Origin, gate: Gate, entry: Entry | None) -> None:
        """Raises Refusal where the gate has no room."""
        self._call, self._container, self._gate, self._entry = call, container, gate, entry
        self._sending: Sending | None = None
        self._answered = self._keep = False
        if entry:
            call.arriving.copy = entry.of_request
        self._ticket = gate.come(self._enter)
        if self._ticket.entered:
            self._send()
        else:
            call.hold(True)

    def _enter(self) -> None:
        """After it waited."""
        self._send()
        self._call.hold(False)

    def _send(self) -> None:
        head = framing.request_lines(self._call.block) + b"\r\n"
        self._sending = self._container.send(self._call.head.method, head, self)
        if self._entry:
            self._sending.copy = self._entry.of_answer

    # What the client's connection tells.

    def body(self, raw: bytes) -> None:
        if self._sending:
            self._sending.write(raw)

    def end(self) -> None:
        if self._entry:
            self._entry.request_is_whole()

    def gone(self) -> None:
        if self._sending:
            self._sending.give_up()
        self._over()

    def client_slow(self, slow: bool) -> None:
        if self._sending:
            self._sending.hold(slow)

    # What the container's connection tells.

    def head(self, head: AnswerHead) -> None:
        self._answered = True
        self._keep = self._call.keeps and head.length != framing.UNTIL_CLOSE
        first = b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason)
        last = b"\r\n" if self._keep else b"connection: close\r\n\r\n"
        self._call.write(first + head.lines + last)
        if self._entry:
            self._entry.answer_begins(head.status, head.headers)

    def piece(self, raw: bytes) -> None:
        self._call.write(raw)

    def ended(self) -> None:
        self._call.finish(keep=self._keep)
        if self._entry:
            self._entry.answer_is_whole()
        self._over()

    def failed(self, why: str, *, sent: bool) -> None:
        self._over()
        if self._answered:
            self._call.break_off()
            return
        refusal = Refusal(502 if sent else 503, f"The container does not answer: {why}.")
        if self._entry:
            self._entry.refused(refusal)
        self._call.answer(refusal.answer())

    def origin_slow(self, slow: bool) -> None:
        self._call.hold(slow)

    def _over(self) -> None:
        self._gate.leave(self._ticket)
