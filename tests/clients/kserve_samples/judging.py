"""What becomes of a sample: taken by the API or not, and then served, or refused by its controller with a sentence.

The API, the store and the controllers are real; no node is there, so that nothing is fetched or started: what is
judged is whether the object means something here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fairway.kernel.objects import conditions, errors, meta
from fairway.kernel.objects.kinds import NAMESPACE, Kind, Object
from fairway.testing.cluster import Cluster

from .samples import GROUP, Sample

NAMESPACED = "samples"
_PATIENCE = 5.0
_REFUSALS = ("InvalidSpec",)


@dataclass(frozen=True)
class Verdict:
    """`refused` is the sentence, or empty where the sample was accepted."""

    sample: Sample
    refused: str = ""


async def judge(here: Cluster, samples: list[Sample], kinds: list[Kind]) -> list[Verdict]:
    if not await here.client.find(NAMESPACE, NAMESPACED):
        await here.client.create(NAMESPACE, NAMESPACE.new(NAMESPACED))
    return [await _judge(here, sample, f"s{number}", kinds) for number, sample in enumerate(samples)]


async def _judge(here: Cluster, sample: Sample, prefix: str, kinds: list[Kind]) -> Verdict:
    obj = sample.obj
    kind = next((one for one in kinds if (one.kind, one.api_version) == (obj["kind"], obj["apiVersion"])), None)
    if kind is None:
        return Verdict(sample, f"{obj['kind']} of {obj['apiVersion']} is not served here")
    namespace = NAMESPACED if kind.namespaced else None
    name = f"{prefix}-{meta.name(obj)}"[:36].rstrip("-")
    wanted = {**obj, "metadata": {**obj["metadata"], "name": name, **({"namespace": namespace} if namespace else {})}}
    try:
        await here.client.create(kind, wanted, namespace)
    except errors.ApiError as refused:
        return Verdict(sample, str(refused))
    try:
        return Verdict(sample, await _said(here, kind, name, namespace))
    finally:
        await here.client.delete(kind, name, namespace)
        await here.client.wait(kind, name, namespace, lambda found: found is None, timeout=_PATIENCE)


async def _said(here: Cluster, kind: Kind, name: str, namespace: str | None) -> str:
    """The controller's refusal; objects without a controller have none."""
    if kind.kind.endswith("Runtime") or kind.group != GROUP:
        return ""
    try:
        found = await here.client.wait(kind, name, namespace, _has_spoken, timeout=_PATIENCE)
    except TimeoutError:
        return "" if kind.kind.endswith(("Config", "NodeGroup")) else "the controller said nothing"
    return _refusal(found or {})


def _has_spoken(obj: Object | None) -> bool:
    return bool(((obj or {}).get("status") or {}).get("conditions"))


def _refusal(obj: Any) -> str:
    status = obj.get("status") or {}
    if (status.get("modelStatus") or {}).get("transitionStatus") in _REFUSALS:
        return str(status["modelStatus"]["lastFailureInfo"]["message"])
    ready = conditions.find(obj, "Ready") or {}
    said = f"{ready.get('reason')}: {ready.get('message')}"
    return said if ready.get("status") == "False" and ready.get("reason") in ("InvalidSpec", "NotSupported") else ""
