"""What Prometheus and the autoscaler read at /metrics. Pure.

The first three are those of the model server, so that the autoscaler reads both in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairway.serving.inpod.sidecar.batching import Batcher
from fairway.serving.inpod.sidecar.gate import Gate
from fairway.serving.inpod.sidecar.journal import Journal


def text(gate: Gate, journal: Journal | None, batcher: Batcher | None) -> str:
    lines = [*_of_gate(gate)]
    if journal:
        lines += _of_journal(journal)
    if batcher:
        lines += _one("fairway_batches_total", "counter", "Batches given to the container.", batcher.batches)
        lines += _one("fairway_batched_rows_total", "counter", "Rows in those batches.", batcher.rows)
    return "\n".join(lines) + "\n"


def _of_gate(gate: Gate) -> Iterator[str]:
    summed = "Requests inside, summed up over time in seconds."
    yield from _one("fairway_request_concurrency_seconds_total", "counter", summed, f"{gate.seconds:.6f}")
    yield from _one("fairway_inference_requests_total", "counter", "Requests that came.", gate.total)
    yield from _one("fairway_inference_requests_inside", "gauge", "Requests that wait or are at work.", gate.inside)
    yield from _one("fairway_inference_requests_waiting", "gauge", "Requests that wait.", gate.waiting)
    yield from _one("fairway_inference_requests_refused_total", "counter", "Requests without room.", gate.refused)


def _of_journal(journal: Journal) -> Iterator[str]:
    name, counts = "fairway_logged_events_total", journal.counts
    yield f"# HELP {name} Events of requests and answers, by what became of them."
    yield f"# TYPE {name} counter"
    yield f'{name}{{outcome="delivered"}} {counts.delivered}'
    yield f'{name}{{outcome="failed"}} {counts.failed}'
    yield f'{name}{{outcome="dropped"}} {counts.dropped}'
    yield from _one("fairway_logged_events_waiting", "gauge", "Events that wait for the sink.", journal.waiting)


def _one(name: str, kind: str, meaning: str, value: object) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
    yield f"{name} {value}"
