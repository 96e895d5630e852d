"""An InferenceService and its surroundings, read into one value: its components, and what serves them. Pure.

Before it come `spec`, which checks, and `pods`, which makes templates; `render` makes objects of the components.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import EXPLAINER, PREDICTOR, TRANSFORMER, Backend, Component, Entry
from fairway.serving.pods import containers, custom, places, predictor
from fairway.serving.pods.predictor import Pod
from fairway.serving.runtimes import selection
from fairway.serving.runtimes.selection import Runtimes, Wanted
from fairway.serving.spec import checks, defaults, scaling, steering
from fairway.serving.spec.refusals import NotSupported

DEFAULT_TIMEOUT = 60


@dataclass(frozen=True)
class Surroundings:
    """What of the cluster decides how a service is served."""

    runtimes: Runtimes = field(default_factory=Runtimes)


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
    sentences = list(_mistakes(isvc))
    if sentences:
        raise NotSupported("InvalidPredictorSpec", sentences)
    spec = isvc["spec"]
    found = defaults.model(spec["predictor"])
    runtime = None
    if found:
        written, block = found
        runtime = selection.choose(_wanted(block), surroundings.runtimes, f"spec.predictor.{written}")
        pod = predictor.of_model(isvc, block, written, runtime)
    else:
        pod = predictor.of_containers(isvc)
    first = _component(isvc, PREDICTOR, pod)
    asked = Asked(defaults.mode(isvc), first, runtime=runtime, cluster_local=steering.cluster_local(isvc))
    if spec.get(TRANSFORMER):
        asked = replace(asked, transformer=_component(isvc, TRANSFORMER, custom.transformer(isvc, first.name)))
    if spec.get(EXPLAINER):
        asked = replace(asked, explainer=_component(isvc, EXPLAINER, custom.explainer(isvc, first.name)))
    return asked


def backend(component: Component, weight: int = 1) -> Backend:
    return Backend(component.name, weight, component.ports)


def _mistakes(isvc: Object) -> Iterator[str]:
    spec = isvc.get("spec") or {}
    part = spec.get(PREDICTOR) or {}
    yield from checks.service(isvc)
    yield from checks.one_implementation(part)
    yield from checks.component(part, "spec.predictor", more=frozenset(("model", *defaults.FRAMEWORKS)))
    if found := defaults.model(part):
        where = f"spec.predictor.{found[0]}"
        yield from checks.model(found[1], where)
        yield from places.mistakes(found[1].get("storageUri"), f"{where}.storageUri")
    for number, container in enumerate(part.get("containers") or ()):
        if uri := containers.variable(container, "STORAGE_URI"):
            yield from places.mistakes(uri, f"spec.predictor.containers[{number}]: STORAGE_URI")
    for role in (TRANSFORMER, EXPLAINER):
        if spec.get(role):
            yield from checks.component(spec[role], f"spec.{role}")


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
    return Component(
        role=role,
        name=f"{meta.name(isvc)}-{role}",
        template=pod.template,
        ports=pod.ports,
        scaling=scaling.read(isvc, part),
        concurrency=part.get("containerConcurrency") or 0,
        waits=part.get("timeout") or DEFAULT_TIMEOUT,
        strategy=part.get("deploymentStrategy"),
    )
