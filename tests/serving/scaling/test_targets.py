"""What one pod should carry. The cases are Knative's own."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.serving.scaling.targets import Defaults, resolve

_WHOLE = Defaults(concurrency_share=1.0)


@pytest.mark.parametrize(
    ("metric", "asked", "defaults", "target", "total"),
    [
        ("concurrency", {}, _WHOLE, 100, 100),
        ("concurrency", {}, Defaults(concurrency_share=0.8), 80, 100),
        ("concurrency", {}, Defaults(concurrency_share=0.3, concurrency=2), 0.6, 2),
        ("concurrency", {"limit": 12, "share": 0.75}, Defaults(concurrency_share=0.8), 9, 12),
        ("concurrency", {"limit": 10}, Defaults(concurrency_share=0.8), 8, 10),
        ("concurrency", {"limit": 1}, Defaults(concurrency_share=0.8), 0.8, 1),
        ("concurrency", {"limit": 1}, _WHOLE, 1, 1),
        ("concurrency", {"limit": 10}, _WHOLE, 10, 10),
        ("concurrency", {"target": 1.0}, _WHOLE, 1, 1),
        ("concurrency", {"target": 1.0}, Defaults(concurrency_share=0.001), 0.01, 1),
        ("concurrency", {"target": 1.0}, Defaults(concurrency_share=0.75), 0.75, 1),
        ("concurrency", {"target": 10.0}, Defaults(concurrency_share=0.75), 7.5, 10),
        ("concurrency", {"limit": 10, "target": 1.0}, _WHOLE, 1, 1),
        ("concurrency", {"target": 500.0}, _WHOLE, 500, 500),
        ("concurrency", {"limit": 1, "target": 10.0}, _WHOLE, 1, 1),
        ("rps", {"limit": 1}, Defaults(), 140, 200),
        ("rps", {"target": 1.0}, Defaults(), 0.7, 1),
        ("rps", {"share": 0.75}, Defaults(), 150, 200),
        ("rps", {"target": 300.0}, Defaults(), 210, 300),
    ],
)
def test_target_and_total(metric: str, asked: dict[str, Any], defaults: Defaults, target: float, total: float) -> None:
    found = resolve(
        metric,
        target=asked.get("target"),
        share=asked.get("share"),
        container_concurrency=asked.get("limit", 0),
        defaults=defaults,
    )
    assert found == pytest.approx((target, total))
