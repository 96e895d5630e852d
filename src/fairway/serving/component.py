"""What a part of an InferenceService runs as: a predictor, a transformer or an explainer, as one value. Pure.

`spec` and `pods` make it from the object; `render` makes a Deployment and a Service of it; what scales or splits
traffic reads its `scaling` and names its backends. It holds nothing that was seen of the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.kernel.objects.kinds import Object
from fairway.serving.scaling.contract import Contract

PREDICTOR, TRANSFORMER, EXPLAINER = "predictor", "transformer", "explainer"
ROLES = (PREDICTOR, TRANSFORMER, EXPLAINER)

HTTP_PORT = 80
"""The port of a component's Service, whatever its container listens on."""
GRPC_PORT = 8081


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many pods there are to be. `most` is 0 without a bound. `metric` and `target` are empty where the class
    has its own. `kind` is what KServe and Knative call the autoscaler's class."""

    least: int = 1
    most: int = 0
    kind: str = ""
    """hpa, kpa, keda, external, none; empty where nothing was said."""
    metric: str = ""
    """concurrency, rps, cpu, memory."""
    target: float | None = None
    auto: Mapping[str, Any] = field(default_factory=dict)
    """spec.*.autoScaling as it is: metrics and behavior."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Those of autoscaling.knative.dev and serving.knative.dev, of the service and of the component."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the component's container listens; None where it does not speak that."""

    http: int | None = 8080
    grpc: int | None = None


@dataclass(frozen=True)
class Component:
    """`name` is that of its Deployment and its Service. `template` is the whole pod template, but for the labels and
    the digest that `render` adds. `waits` is how long the gateway waits for an answer, in seconds."""

    role: str
    name: str
    template: Object
    ports: Ports = Ports()
    scaling: Scaling = Scaling()
    contract: Contract = field(default_factory=Contract)
    """What the autoscaler is to keep."""
    concurrency: int = 0
    waits: int = 60
    strategy: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """A Service that gets a share of the traffic: its weight of the sum of all weights."""

    service: str
    weight: int = 1
    ports: Ports = Ports()


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a host's requests go. `explainers` get what asks for an explanation, where there are any."""

    backends: tuple[Backend, ...]
    explainers: tuple[Backend, ...] = ()
    waits: int = 60
