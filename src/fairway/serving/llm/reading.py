"""An LLMInferenceService with the configurations below it, read into what one node can serve. Pure.

The server is Fairway's own, which speaks OpenAI's protocol; images and commands of other servers are not run. What
needs several nodes, or a scheduler among replicas, is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.runtimes import merging
from fairway.serving.spec.refusals import NotSupported, empty, unknown

MAIN = "main"

_SPEC = frozenset(("model", "replicas", "template", "router", "parallelism", "baseRefs", "labels", "annotations"))
_REFUSED = {
    "prefill": "remove it: prefilling and decoding are done by one server",
    "worker": "remove it: a model is served by one node",
    "scaling": "set replicas",
    "kvCacheOffloading": "remove it",
    "tracing": "remove it",
    "rolloutStrategy": "remove it: a new version is rolled out without a gap",
    "storageInitializer": "remove it: the model is fetched where it has to be",
}
_MODEL = frozenset(("uri", "name"))
_REFUSED_IN_MODEL = {
    "lora": "serve the merged model: adapters are not loaded here",
    "confidential": "remove it; models are not decrypted here",
}
_ROUTER = frozenset(("route", "gateway"))
_REFUSED_IN_ROUTER = {
    "scheduler": "leave it empty: requests go to the replica with the fewest",
    "ingress": "remove it: the gateway carries the service",
}
_CONTAINER = frozenset(
    ("name", "image", "imagePullPolicy", "command", "env", "envFrom", "resources", "securityContext", "livenessProbe",
     "readinessProbe", "startupProbe", "ports", "terminationMessagePath", "terminationMessagePolicy", "lifecycle")
)  # fmt: skip
_POD = frozenset(("containers", "serviceAccountName", "nodeSelector", "tolerations", "affinity", "imagePullSecrets",
                  "schedulerName", "priorityClassName", "terminationGracePeriodSeconds", "securityContext",
                  "automountServiceAccountToken"))  # fmt: skip


@dataclass(frozen=True)
class Language:
    """What is to be served. `pod` are fields of the pod's spec; `replaced` the image that our server stands in for."""

    uri: str
    name: str
    replicas: int
    env: Sequence[Object] = ()
    resources: Mapping[str, Any] | None = None
    pod: Mapping[str, Any] | None = None
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None
    replaced: str = ""


def read(service: Object, configs: Mapping[str, Object]) -> Language:
    """`configs` by name, those that can be seen from the service. Raises NotSupported."""
    spec = _combined(service, configs)
    sentences = list(_mistakes(spec))
    if sentences:
        raise NotSupported("InvalidSpec", sentences)
    template = spec.get("template") or {}
    main: Object = next((one for one in template.get("containers") or () if one.get("name") == MAIN), {})
    replicas = spec.get("replicas")
    return Language(
        uri=spec["model"]["uri"],
        name=spec["model"].get("name") or meta.name(service),
        replicas=1 if replicas is None else replicas,
        env=main.get("env") or (),
        resources=main.get("resources"),
        pod={key: value for key, value in template.items() if key != "containers"},
        labels=spec.get("labels"),
        annotations=spec.get("annotations"),
        replaced=main.get("image") or "",
    )


def _combined(service: Object, configs: Mapping[str, Object]) -> Object:
    """The configurations in their order, the later over the earlier, the service over all of them."""
    combined: Object = {}
    for reference in service["spec"].get("baseRefs") or ():
        config = configs.get(reference.get("name") or "")
        if config is None:
            text = f"spec.baseRefs: there is no LLMInferenceServiceConfig {reference.get('name')!r} here; create it."
            raise NotSupported("InvalidSpec", [text])
        filled = merging.filled(config["spec"], service["metadata"], f"LLMInferenceServiceConfig {meta.name(config)}")
        combined = _laid(combined, filled)
    return _laid(combined, service["spec"])


def _laid(base: Object, over: Object) -> Object:
    merged = merging.lay(base, {key: value for key, value in over.items() if key != "template"})
    if over.get("template") is None:
        return merged
    below, above = base.get("template") or {}, over["template"]
    named = {one.get("name"): one for one in above.get("containers") or ()}
    containers = [merging.lay(one, named.pop(one.get("name"), {})) for one in below.get("containers") or ()]
    template = merging.lay(
        {key: value for key, value in below.items() if key != "containers"},
        {key: value for key, value in above.items() if key != "containers"},
    )
    return {**merged, "template": {**template, "containers": [*containers, *named.values()]}}


def _mistakes(spec: Object) -> Iterator[str]:
    yield from unknown(spec, "spec", _SPEC, _REFUSED)
    model = spec.get("model") or {}
    yield from unknown(model, "spec.model", _MODEL, _REFUSED_IN_MODEL)
    if not model.get("uri"):
        yield "spec.model.uri is missing; set it to hf://owner/model, or to the place of the model."
    router = spec.get("router") or {}
    for name in sorted(router):
        # An empty scheduler asks for what the gateway does by itself: the replica with the fewest requests is next.
        if name not in _ROUTER and not (name == "scheduler" and router[name] in (None, {})):
            yield f"spec.router.{name} is not supported; {_REFUSED_IN_ROUTER.get(name, 'remove it')}."
    for part, field in (("route", "http"), ("gateway", "refs"), ("route", "group")):
        if not empty((router.get(part) or {}).get(field)):
            yield f"spec.router.{part}.{field} is not supported; remove it: the route is made for the one gateway."
    yield from _parallel(spec.get("parallelism") or {})
    yield from _template(spec.get("template") or {})


def _parallel(asked: Mapping[str, Any]) -> Iterator[str]:
    for name, value in sorted(asked.items()):
        alone = value in (None, 1) and value is not True
        if not alone and value is not False and name != "dataRPCPort":
            yield f"spec.parallelism.{name}: {value} is not supported; a model is served by one process, remove it."


def _template(template: Mapping[str, Any]) -> Iterator[str]:
    yield from unknown(dict(template), "spec.template", _POD, {})
    for container in template.get("containers") or ():
        name = container.get("name")
        if name != MAIN:
            yield f"spec.template.containers: {name!r} is not supported; only the container {MAIN} is served."
            continue
        where = f"spec.template.containers[{MAIN}]"
        how = {"args": "remove it: the server here has no such flags", "volumeMounts": "remove it"}
        yield from unknown(container, where, _CONTAINER, how)
