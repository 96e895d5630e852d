"""What Prometheus reads at /metrics: requests by protocol and status, their time, how many are inside.

The histogram's name is KServe's, so that dashboards made for it show us too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Touched by the event loop only."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._requests: Counter[tuple[str, int]] = Counter()
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def record(self, protocol: str, status: int, seconds: float) -> None:
        self._requests[protocol, status] += 1
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self._sum += seconds

    def text(self, *, inside: int, ready: bool) -> str:
        model = f'model_name="{self._model}"'
        lines = [
            "# HELP fairway_inference_requests_total Predictions answered, by protocol and HTTP status.",
            "# TYPE fairway_inference_requests_total counter",
        ]
        for (protocol, status), count in sorted(self._requests.items()):
            labels = f'{model},protocol="{protocol}",code="{status}"'
            lines.append(f"fairway_inference_requests_total{{{labels}}} {count}")
        lines += [
            "# HELP request_predict_seconds Time from a whole request to its answer.",
            "# TYPE request_predict_seconds histogram",
        ]
        total = 0
        for bucket, count in zip((*BUCKETS, "+Inf"), self._counts, strict=True):
            total += count
            lines.append(f'request_predict_seconds_bucket{{{model},le="{bucket}"}} {total}')
        lines += [
            f"request_predict_seconds_sum{{{model}}} {self._sum:.9f}",
            f"request_predict_seconds_count{{{model}}} {total}",
            "# HELP fairway_inference_requests_inside Predictions that wait or are at work.",
            "# TYPE fairway_inference_requests_inside gauge",
            f"fairway_inference_requests_inside{{{model}}} {inside}",
            "# HELP fairway_model_ready Whether the model answers.",
            "# TYPE fairway_model_ready gauge",
            f"fairway_model_ready{{{model}}} {int(ready)}",
        ]
        return "\n".join(lines) + "\n"
