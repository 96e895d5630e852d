"""What Prometheus and the autoscaler read at /metrics, right over all processes of the server (`board`).

The histograms of phases have KServe's names, so that dashboards made for it show us too. The autoscaler takes
differences of `fairway_request_concurrency_seconds_total` and of `fairway_inference_requests_total`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fairway.serving.inpod.board import COUNTER, GAUGE, HISTOGRAM, Board, Page, Series
from fairway.serving.inpod.work import Times

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)

_REQUESTS = "fairway_inference_requests_total"
_ROWS = "fairway_predicted_rows_total"
_HELP = {
    _REQUESTS: "Predictions answered, by protocol and status.",
    "request_preprocess_seconds": "Reading a request.",
    "request_predict_seconds": "In the model, with all requests of its batch.",
    "request_postprocess_seconds": "Writing an answer.",
    "request_explain_seconds": "In the explainer.",
    "fairway_request_seconds": "From a whole request to its answer.",
    "fairway_queue_seconds": "Waiting for a thread.",
    "fairway_batch_requests": "Requests that were predicted together.",
    _ROWS: "Rows that were predicted; a request to a model without batches is one.",
    "fairway_model_requests_inside": "Predictions of a model that wait or are at work.",
}
_SINGLE = {
    "fairway_inference_requests_inside": ("gauge", "Predictions that wait or are at work, in all processes."),
    "fairway_request_concurrency_seconds_total": ("counter", "Their number, integrated over time."),
}


class Metrics:
    """Of one process. Touched by the event loop only."""

    def __init__(self, board: Board, page: Page) -> None:
        self._board, self.page = board, page

    def of(self, model: str) -> ModelMetrics:
        return ModelMetrics(self.page, _quoted(model))

    def summary(self, model: str) -> Summary:
        found, label = Summary(), f'{{model_name="{_quoted(model)}"'
        phases: dict[str, tuple[float, float]] = {}
        for (kind, name), cells in self._board.totals().items():
            family, brace, labels = name.partition("{")
            if not (brace + labels).startswith(label):
                continue
            if kind == HISTOGRAM:
                phases[family] = (sum(cells[:-1]), cells[-1])
            elif family == _REQUESTS and 'code="2' in labels:
                found.succeeded += int(cells[0])
            elif family == _REQUESTS:
                found.failed += int(cells[0])
            elif family == _ROWS:
                found.rows += int(cells[0])
            if family == "fairway_batch_requests":
                # Each request of a batch of n is counted in the bucket of n: together they were one execution.
                found.executions = round(sum(count / size for count, size in zip(cells[:-2], SIZES, strict=True)))
        nothing = (0.0, 0.0)
        found.seconds = phases.get("fairway_request_seconds", nothing)[1]
        found.queued = phases.get("fairway_queue_seconds", nothing)[1]
        found.read = phases.get("request_preprocess_seconds", nothing)
        found.predict = phases.get("request_predict_seconds", nothing)
        found.write = phases.get("request_postprocess_seconds", nothing)
        return found

    def text(self, ready: dict[str, bool]) -> str:
        """`ready` says of each model whether it answers."""
        lines: list[str] = []
        families: dict[str, list[tuple[Series, list[float]]]] = {}
        for series, cells in sorted(self._board.totals().items()):
            families.setdefault(series[1].partition("{")[0], []).append((series, cells))
        for family, members in families.items():
            kind = {COUNTER: "counter", GAUGE: "gauge", HISTOGRAM: "histogram"}[members[0][0][0]]
            lines += [f"# HELP {family} {_HELP[family]}", f"# TYPE {family} {kind}"]
            for series, cells in members:
                lines += _lines(series, cells)
        for (family, (kind, about)), value in zip(_SINGLE.items(), self._board.inside(), strict=True):
            lines += [f"# HELP {family} {about}", f"# TYPE {family} {kind}", f"{family} {_number(value)}"]
        lines += ["# HELP fairway_model_ready Whether the model answers.", "# TYPE fairway_model_ready gauge"]
        lines += [f'fairway_model_ready{{model_name="{_quoted(name)}"}} {int(is_)}' for name, is_ in ready.items()]
        return "\n".join(lines) + "\n"


@dataclass(slots=True)
class Summary:
    """Of one model in all processes: requests, their rows, executions (batches), and of each phase its count and
    seconds."""

    succeeded: int = 0
    failed: int = 0
    rows: int = 0
    executions: int = 0
    seconds: float = 0.0
    queued: float = 0.0
    read: tuple[float, float] = (0.0, 0.0)
    predict: tuple[float, float] = (0.0, 0.0)
    write: tuple[float, float] = (0.0, 0.0)


class ModelMetrics:
    """Of one model. Counts are kept on the process' page, so that a model that is swapped goes on counting."""

    def __init__(self, page: Page, model: str) -> None:
        self._page, self._labels = page, f'{{model_name="{model}"}}'
        self._model = model
        self._codes: dict[tuple[str, int], int] = {}
        self._read = self._histogram("request_preprocess_seconds", SECONDS)
        self._predict = self._histogram("request_predict_seconds", SECONDS)
        self._write = self._histogram("request_postprocess_seconds", SECONDS)
        self._whole = self._histogram("fairway_request_seconds", SECONDS)
        self._queue = self._histogram("fairway_queue_seconds", SECONDS)
        self._batch = self._histogram("fairway_batch_requests", SIZES)
        self._rows = page.allot(COUNTER, _ROWS + self._labels)
        self._explain: int | None = None
        self._inside = page.allot(GAUGE, "fairway_model_requests_inside" + self._labels)

    def entered(self) -> None:
        self._page.enter()
        self._page.cells[self._inside] += 1

    def left(self, protocol: str, status: int, seconds: float, times: Times | None, *, explain: bool = False) -> None:
        """A request has its answer. `times` are None where the model never saw it."""
        page = self._page
        page.leave()
        page.cells[self._inside] -= 1
        code = self._codes.get((protocol, status))
        if code is None:
            name = f'{_REQUESTS}{{model_name="{self._model}",protocol="{protocol}",code="{status}"}}'
            code = self._codes[protocol, status] = page.allot(COUNTER, name)
        page.cells[code] += 1
        self._record(self._whole, SECONDS, seconds)
        if times is None:
            return
        self._record(self._queue, SECONDS, times.queued)
        self._record(self._read, SECONDS, times.read)
        if times.batch:
            self._record(self._explaining() if explain else self._predict, SECONDS, times.predict)
            self._record(self._write, SECONDS, times.write)
            self._record(self._batch, SIZES, times.batch)
            page.cells[self._rows] += times.rows

    def _explaining(self) -> int:
        if self._explain is None:
            self._explain = self._histogram("request_explain_seconds", SECONDS)
        return self._explain

    def _histogram(self, name: str, bounds: Sequence[float]) -> int:
        """A cell for each bound, one for what is beyond, and the sum."""
        return self._page.allot(HISTOGRAM, name + self._labels, len(bounds) + 2)

    def _record(self, first: int, bounds: Sequence[float], value: float) -> None:
        cells = self._page.cells
        cells[first + bisect_left(bounds, value)] += 1
        cells[first + len(bounds) + 1] += value


def _lines(series: Series, cells: list[float]) -> Iterator[str]:
    kind, name = series
    if kind != HISTOGRAM:
        yield f"{name} {_number(cells[0])}"
        return
    family, _, labels = name.partition("{")
    labels = labels.rstrip("}")
    *counts, total = cells
    bounds: Sequence[float] = SIZES if len(counts) == len(SIZES) + 1 else SECONDS
    sum_ = 0.0
    for bound, count in zip((*bounds, "+Inf"), counts, strict=True):
        sum_ += count
        yield f'{family}_bucket{{{labels},le="{bound}"}} {_number(sum_)}'
    yield f"{family}_sum{{{labels}}} {total:.9f}"
    yield f"{family}_count{{{labels}}} {_number(sum_)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.9f}"


def _quoted(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
