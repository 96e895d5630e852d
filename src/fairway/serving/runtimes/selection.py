"""Which runtime serves a model: KServe's rules, exactly. Pure.

Those of the namespace come before those of the cluster. One that is named is taken if it can do what the model
asks; otherwise the candidates are sorted by the protocol they prefer, the newest first, then by name, and then by
priority, the highest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.runtimes.kinds import SERVING_RUNTIME
from fairway.serving.spec.refusals import NotSupported

_PROTOCOLS = ("v1", "v2", "grpc-v1", "grpc-v2")
"""From the most to the least preferred."""


@dataclass(frozen=True)
class Runtimes:
    """All there are for a service: those of its namespace, and those of the cluster."""

    namespaced: Sequence[Object] = ()
    cluster: Sequence[Object] = ()

    def named(self, name: str) -> Object | None:
        return next((one for one in (*self.namespaced, *self.cluster) if meta.name(one) == name), None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a model asks of a runtime. Without a protocol it asks for v1, as KServe does."""

    format: str
    version: str = ""
    protocol: str = ""
    runtime: str = ""
    multi_model: bool = False
    several_nodes: bool = False

    def __str__(self) -> str:
        return f"{self.format} {self.version}".strip()


def choose(wanted: Wanted, runtimes: Runtimes, where: str = "spec.predictor.model") -> Object:
    """The runtime's object. Raises NotSupported."""
    if wanted.runtime:
        return _named(wanted, runtimes, where)
    found = _candidates(wanted, runtimes.namespaced) or _candidates(wanted, runtimes.cluster)
    if not found:
        raise NotSupported("NoSupportingRuntime", [_nothing_fits(wanted, runtimes, where)])
    return found[0]


def is_namespaced(runtime: Object) -> bool:
    return runtime.get("kind") == SERVING_RUNTIME.kind


def preferred_protocol(runtime: Object) -> str:
    """What a model speaks that asks for nothing."""
    protocols = runtime["spec"].get("protocolVersions") or ()
    return min(protocols, key=_preference) if protocols else "v1"


def _named(wanted: Wanted, runtimes: Runtimes, where: str) -> Object:
    runtime = runtimes.named(wanted.runtime)
    if runtime is None:
        known = ", ".join(sorted(meta.name(one) for one in (*runtimes.namespaced, *runtimes.cluster)))
        text = f"{where}.runtime: there is no runtime {wanted.runtime!r} here; leave it out, or use one of: {known}."
        raise NotSupported("RuntimeNotRecognized", [text])
    if runtime["spec"].get("disabled"):
        text = f"{where}.runtime: {wanted.runtime} is disabled; enable it, or leave it out."
        raise NotSupported("RuntimeDisabled", [text])
    if wanted.protocol and not _speaks(runtime, wanted.protocol):
        spoken = ", ".join(runtime["spec"].get("protocolVersions") or ())
        text = f"{where}.protocolVersion: {wanted.runtime} does not speak {wanted.protocol}; it speaks {spoken}."
        raise NotSupported("NoSupportingRuntime", [text])
    if not _loads(runtime, wanted):
        text = f"{where}.modelFormat: {wanted.runtime} does not load {wanted}; it loads {_formats([runtime])}."
        raise NotSupported("NoSupportingRuntime", [text])
    return runtime


def _candidates(wanted: Wanted, runtimes: Iterable[Object]) -> list[Object]:
    found = [runtime for runtime in runtimes if _fits(runtime, wanted)]
    found.sort(key=meta.name)
    found.sort(key=lambda one: str(one["metadata"].get("creationTimestamp") or ""), reverse=True)
    found.sort(key=lambda one: min(map(_preference, one["spec"].get("protocolVersions") or ()), default=-1))
    found.sort(key=lambda one: -_priority(one, wanted.format))
    return found


def _fits(runtime: Object, wanted: Wanted) -> bool:
    spec = runtime["spec"]
    return (
        not spec.get("disabled")
        and bool(spec.get("multiModel")) == wanted.multi_model
        and bool(spec.get("workerSpec")) == wanted.several_nodes
        and _speaks(runtime, wanted.protocol or "v1")
        and _loads(runtime, wanted)
    )


def _speaks(runtime: Object, protocol: str) -> bool:
    protocols = runtime["spec"].get("protocolVersions")
    return not protocols or protocol in protocols


def _loads(runtime: Object, wanted: Wanted) -> bool:
    return any(
        one["name"] == wanted.format
        and (not wanted.version or one.get("version") == wanted.version)
        and (bool(wanted.runtime) or bool(one.get("autoSelect")))
        for one in runtime["spec"].get("supportedModelFormats") or ()
    )


def _priority(runtime: Object, name: str) -> int:
    """That of the first entry of the format, as upstream has it; those without one come last."""
    for one in runtime["spec"].get("supportedModelFormats") or ():
        if one["name"] == name:
            return int(one.get("priority") or 0)
    return 0


def _preference(protocol: str) -> int:
    return _PROTOCOLS.index(protocol) if protocol in _PROTOCOLS else len(_PROTOCOLS)


def _nothing_fits(wanted: Wanted, runtimes: Runtimes, where: str) -> str:
    """The nearest miss, because a person has to act on it."""
    everything = (*runtimes.namespaced, *runtimes.cluster)
    same = [one for one in everything if any(each["name"] == wanted.format for each in _listed(one))]
    if wanted.several_nodes:
        return f"{where}: no runtime here spreads a {wanted.format} model over several nodes; remove workerSpec."
    if not same:
        known = _formats(everything)
        return f"No runtime here loads {wanted.format} models; save the model in one of these formats: {known}."
    if wanted.version and not any(_loads(one, wanted) for one in same):
        versions = sorted({str(e.get("version")) for one in same for e in _listed(one) if e["name"] == wanted.format})
        known = ", ".join(versions)
        return f"{where}.modelFormat.version {wanted.version!r} is served by no runtime ({known} are); leave it out."
    spoken = sorted({protocol for one in same for protocol in one["spec"].get("protocolVersions") or ()})
    names = ", ".join(map(meta.name, same))
    return (
        f"No runtime here loads {wanted} models and speaks {wanted.protocol or 'v1'} without being named; "
        f"set {where}.runtime to one of {names}, or {where}.protocolVersion to one of {', '.join(spoken)}."
    )


def _listed(runtime: Object) -> Sequence[Object]:
    return runtime["spec"].get("supportedModelFormats") or ()


def _formats(runtimes: Iterable[Object]) -> str:
    return ", ".join(dict.fromkeys(one["name"] for runtime in runtimes for one in _listed(runtime)))
