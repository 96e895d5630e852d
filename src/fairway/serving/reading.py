"""An InferenceService and its surroundings, read into one value: its components, and what serves them. Pure.

Before it come `spec`, which checks, and `pods`, which makes templates; `render` makes objects of the components.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import EXPLAINER, PREDICTOR, TRANSFORMER, Backend, Component, Entry
from fairway.serving.pods import custom, models, predictor
from fairway.serving.pods.assembly import Pod
from fairway.serving.pods.models import Storage
from fairway.serving.runtimes import selection
from fairway.serving.runtimes.selection import Runtimes, Wanted
from fairway.serving.scaling import contract as contracts
from fairway.serving.spec import checks, defaults, scaling, steering, workers
from fairway.serving.spec.refusals import NotSupported
from fairway.serving.storage.containers import Stores

DEFAULT_TIMEOUT = contracts.TIMEOUT


_ONLY_PREDICTOR = frozenset(("model", "workerSpec", "name", "canaryTrafficPercent", *defaults.FRAMEWORKS))


@dataclass(frozen=True)
class Surroundings:
    """What of the cluster decides how a service is served."""

    runtimes: Runtimes = field(default_factory=Runtimes)
    storage: Storage = field(default_factory=Storage)


@dataclass(frozen=True)
class Asked:
    """`runtime` is the one that was chosen, None for containers of the user's own."""

    mode: str
    predictor: Component
    transformer: Component | None = None
    explainer: Component | None = None
    runtime: Object | None = None
    cluster_local: bool = False

    @property
    def components(self) -> tuple[Component, ...]:
        return tuple(one for one in (self.predictor, self.transformer, self.explainer) if one is not None)

    def entry(self) -> Entry:
        """Where requests to the service go while one version of each component has all of them."""
        front = self.transformer or self.predictor
        explained = (backend(self.explainer),) if self.explainer else ()
        return Entry((backend(front),), explained, max(one.waits for one in self.components))


def read(isvc: Object, surroundings: Surroundings) -> Asked:
    """Raises NotSupported."""
    storage = surroundings.storage
    sentences = list(_mistakes(isvc, storage.stores))
    if sentences:
        raise NotSupported("InvalidPredictorSpec", sentences)
    spec = isvc["spec"]
    found = defaults.model(spec["predictor"])
    runtime = None
    if found:
        block, where = found[1], f"spec.predictor.{found[0]}"
        runtime = selection.choose(_wanted(block), surroundings.runtimes, where)
        pod = predictor.of_model(isvc, block, where, runtime, storage)
    else:
        pod = predictor.of_containers(isvc, storage)
    first = _component(isvc, PREDICTOR, pod)

    def other(role: str) -> Component | None:
        return _component(isvc, role, custom.pod(isvc, role, first.name, storage)) if spec.get(role) else None

    return Asked(
        mode=defaults.mode(isvc),
        predictor=first,
        transformer=other(TRANSFORMER),
        explainer=other(EXPLAINER),
        runtime=runtime,
        cluster_local=steering.cluster_local(isvc),
    )


def backend(component: Component, weight: int = 1) -> Backend:
    return Backend(component.name, weight, component.ports)


def _mistakes(isvc: Object, stores: Stores) -> Iterator[str]:
    spec = isvc.get("spec") or {}
    part = spec.get(PREDICTOR) or {}
    yield from checks.service(isvc)
    yield from checks.one_implementation(part)
    yield from checks.component(part, "spec.predictor", more=_ONLY_PREDICTOR)
    yield from scaling.mistakes(isvc, part)
    written, block = defaults.model(part) or ("containers", {})
    where = f"spec.predictor.{written}"
    if written != "containers":
        yield from checks.model(block, where)
    yield from workers.checked(isvc, block)
    yield from checks.variables(spec, block)
    yield from models.mistakes(part, block, "spec.predictor", in_model=where, stores=stores)
    for role in (TRANSFORMER, EXPLAINER):
        if other := spec.get(role):
            yield from checks.component(other, f"spec.{role}")
            yield from scaling.mistakes(isvc, other)
            yield from checks.has_containers(other, f"spec.{role}")
            yield from models.mistakes(other, {}, f"spec.{role}", in_model="", stores=stores)


def _wanted(block: Object) -> Wanted:
    format = block["modelFormat"]
    return Wanted(
        format=format["name"],
        version=str(format.get("version") or ""),
        protocol=defaults.protocol(block),
        runtime=block.get("runtime") or "",
    )


def _component(isvc: Object, role: str, pod: Pod) -> Component:
    part = isvc["spec"][role]
    name = "-".join(filter(None, (meta.name(isvc), part.get("name"), role)))
    return Component(
        role=role,
        name=name,
        template=pod.template,
        ports=pod.ports,
        scaling=scaling.read(isvc, part),
        contract=scaling.contract(isvc, part, name),
        concurrency=part.get("containerConcurrency") or 0,
        waits=part.get("timeout") or DEFAULT_TIMEOUT,
        strategy=part.get("deploymentStrategy"),
    )
