"""Checks of an InferenceService as KServe's validation has them, and of what Fairway cannot do. Pure.

Each gives sentences; nothing here raises, so that all mistakes are told at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.render import traffic
from fairway.serving.spec import defaults, fields, steering
from fairway.serving.spec.refusals import unknown

LONGEST_NAME = 44
"""Leaves room for `isvc.{name}-transformer` in a label, and for the suffixes of pods."""

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_PROTOCOLS = ("v1", "v2", "grpc-v1", "grpc-v2")


def service(isvc: Object) -> Iterator[str]:
    """The name, the metadata, and which parts there are."""
    yield from _name(isvc)
    yield from steering.checked(isvc)
    yield from traffic.mistakes(isvc)
    yield from unknown(isvc.get("spec") or {}, "spec", fields.SERVICE, fields.REFUSED_IN_SERVICE)


def component(part: Object, where: str, *, more: frozenset[str] = frozenset()) -> Iterator[str]:
    """The fields that all components have. `more` are those that only this one has."""
    yield from unknown(part, where, fields.COMPONENT | fields.POD | more, fields.REFUSED_IN_COMPONENT)
    yield from _numbers(part, where)
    yield from logger(part, where)
    yield from batcher(part, where)


def model(block: Object, where: str) -> Iterator[str]:
    yield from unknown(block, where, fields.MODEL | fields.CONTAINER, fields.REFUSED_IN_MODEL)
    protocol = block.get("protocolVersion")
    if protocol and protocol not in _PROTOCOLS:
        yield f"{where}.protocolVersion {protocol!r} is not known; use one of {', '.join(_PROTOCOLS)}."
    if block.get("name"):
        yield f"{where}.name must be empty."
    if not (block.get("modelFormat") or {}).get("name"):
        yield f"{where}.modelFormat.name is missing; set it to sklearn, xgboost or another format."


def one_implementation(predictor: Object) -> Iterator[str]:
    """Exactly one of the blocks, or containers of which one is the model server."""
    blocks = [name for name in ("model", *defaults.FRAMEWORKS) if predictor.get(name) is not None]
    if len(blocks) > 1 or (not blocks and not predictor.get("containers")):
        found = " and ".join(blocks) if blocks else "none"
        yield f"spec.predictor must have exactly one of model, a framework's block or containers, and it has {found}."


def variables(spec: Object, block: Object) -> Iterator[str]:
    """Variables that upstream does not let one set, because a server's own code hangs on them."""
    parts = [spec.get(role) or {} for role in ("predictor", "transformer", "explainer")]
    given = [one for part in parts for name in ("containers", "initContainers") for one in part.get(name) or ()]
    for container in (*given, block):
        if any(entry.get("name") == "PYTHONPATH" for entry in container.get("env") or ()):
            yield "The variable PYTHONPATH may not be set; put the code beside the model, or into the image."
            return


def has_containers(part: Object, where: str) -> Iterator[str]:
    """Of a transformer and of an explainer, which are always the user's own."""
    if not part.get("containers"):
        yield f"{where}.containers is missing; give the container that is the {where.rpartition('.')[2]}."


def logger(part: Object, where: str) -> Iterator[str]:
    asked = part.get("logger") or {}
    if not asked:
        return
    if asked.get("mode") not in (None, "all", "request", "response"):
        yield f"{where}.logger.mode {asked['mode']!r} is not known; use all, request or response."
    if not asked.get("url"):
        yield f"{where}.logger.url is missing; set it to an address that takes CloudEvents, or to s3:// or file:///."
    storage = asked.get("storage")
    if storage is not None and not all(storage.get(name) for name in ("path", "parameters", "key")):
        yield f"{where}.logger.storage needs path, parameters and key; set all of them."


def batcher(part: Object, where: str) -> Iterator[str]:
    for name, value in (part.get("batcher") or {}).items():
        if name not in ("maxBatchSize", "maxLatency", "timeout"):
            yield f"{where}.batcher.{name} is not known; remove it."
        elif not isinstance(value, int) or value < 0:
            yield f"{where}.batcher.{name} must be a whole number that is not negative."


def _name(isvc: Object) -> Iterator[str]:
    name = meta.name(isvc)
    if not _NAME.fullmatch(name):
        yield f"The name {name!r} must start with a letter and hold only a-z, 0-9 and dashes; create it under another."
    if len(name) > LONGEST_NAME:
        yield f"The name has {len(name)} characters and may have {LONGEST_NAME}; create it under a shorter one."
    elif len(f"{name}-{meta.namespace(isvc)}") > 63:
        yield "Name and namespace together are longer than the 62 characters of a host name; shorten one of them."


def _numbers(part: Object, where: str) -> Iterator[str]:
    least, most = part.get("minReplicas", 1), part.get("maxReplicas") or 0
    if least < 0 or most < 0 or 0 < most < least:
        yield f"{where}: minReplicas must not be negative, and maxReplicas not below it."
    for field in ("containerConcurrency", "timeout"):
        if (part.get(field) or 0) < 0:
            yield f"{where}.{field} must not be negative."
