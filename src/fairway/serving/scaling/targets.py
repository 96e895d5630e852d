"""What one pod should carry, from the target asked for, its own limit and the share that is aimed at. Pure."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_TARGET = 0.01


@dataclass(frozen=True, slots=True)
class Defaults:
    """Where nothing is asked for. Knative's own numbers."""

    concurrency: float = 100.0
    requests_per_second: float = 200.0
    concurrency_share: float = 0.7
    rate_share: float = 0.7


def resolve(
    metric: str, *, target: float | None, share: float | None, container_concurrency: int, defaults: Defaults
) -> tuple[float, float]:
    """(target, total): what to aim at, and what a pod can carry.

    Of the limit of the container and the target asked for the smaller one counts.

    >>> resolve("concurrency", target=None, share=None, container_concurrency=10, defaults=Defaults())
    (7.0, 10.0)
    """
    if metric == "rps":
        total, usual = target or defaults.requests_per_second, defaults.rate_share
    else:
        total = target or float(container_concurrency) or defaults.concurrency
        total = min(total, container_concurrency) if container_concurrency else total
        usual = defaults.concurrency_share
    return max(LEAST_TARGET, total * (usual if share is None else share)), float(total)
