"""What becomes of each request: answered here, laid together with others, or carried on to the container.

The kubelet's probes ask the container and are no traffic: not counted, not recorded, never held up by the gate.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fairway.serving.inpod.messages import Answer, Refusal, encode
from fairway.serving.inpod.relay.asking import Unanswered, Web
from fairway.serving.inpod.relay.inbound import Call, Taker
from fairway.serving.inpod.relay.outbound import Origin
from fairway.serving.inpod.sidecar import metrics
from fairway.serving.inpod.sidecar.batching import Batcher, Gathered
from fairway.serving.inpod.sidecar.carrying import Carried
from fairway.serving.inpod.sidecar.gate import Gate
from fairway.serving.inpod.sidecar.journal import Journal

_PROBE_LIMIT = 2.0


@dataclass(slots=True)
class Parts:
    """What the sidecar is made of; `journal` and `batcher` only where they were asked for."""

    container: Origin
    gate: Gate
    web: Web
    probe: Mapping[str, Any]
    """The container's own readiness probe: {"httpGet": ...} or {"tcpSocket": ...}; empty asks for a connection."""
    journal: Journal | None = None
    batcher: Batcher | None = None


class Application:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._probes: set[asyncio.Task[None]] = set()

    def __call__(self, call: Call) -> Taker | None:
        parts, head = self._parts, call.head
        if head.path == "/metrics" and head.method == "GET":
            text = metrics.text(parts.gate, parts.journal, parts.batcher)
            call.answer(Answer(200, text.encode(), "text/plain; version=0.0.4; charset=utf-8"))
            return None
        if head.headers.get("user-agent", "").startswith("kube-probe/"):
            self._begin_probe(call)
            return None
        entry = parts.journal.entry(call) if parts.journal else None
        try:
            if parts.batcher and head.method == "POST" and head.path.endswith(":predict"):
                return Gathered(call, parts.batcher, parts.gate, entry)
            return Carried(call, parts.container, parts.gate, entry)
        except Refusal as refusal:
            call.answer(refusal.answer())
            return None

    def _begin_probe(self, call: Call) -> None:
        task = asyncio.get_running_loop().create_task(self._probe(call))
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    async def _probe(self, call: Call) -> None:
        status, text = await self._ask_container(call.head.path)
        call.answer(Answer(status, encode({"ready": status < 400, "message": text})))

    async def _ask_container(self, path: str) -> tuple[int, str]:
        container, probe = self._parts.container, self._parts.probe
        http = probe.get("httpGet")
        try:
            if http is None:
                async with asyncio.timeout(_PROBE_LIMIT):
                    _, writer = await asyncio.open_connection(container.host, container.port)
                writer.close()
                return 200, "the container listens"
            url = f"http://{container.host}:{container.port}{http.get('path') or quote(path)}"
            reply = await self._parts.web.ask("GET", url, {"user-agent": "kube-probe/fairway"}, timeout=_PROBE_LIMIT)
        except (OSError, TimeoutError, Unanswered) as failure:
            return 503, f"the container does not answer: {failure}"
        return reply.status, "the container answered"


def probe_of(text: str) -> Mapping[str, Any]:
    """Upstream's SERVING_READINESS_PROBE: a probe, or a list with one, as JSON. Raises ValueError."""
    found = json.loads(text) if text else {}
    if isinstance(found, list):
        found = found[0] if found else {}
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found
