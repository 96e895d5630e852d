"""The labels by which a service's children are found, and the digest by which their version is known. Pure."""

from __future__ import annotations

import hashlib
import json

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.kinds import COMPONENT_LABEL, RENDERED, SERVICE_LABEL


def labels(isvc: Object, component: str, role: str) -> dict[str, str]:
    """`component` is the name of the Deployment or Service, as in iris-predictor."""
    return {"app": f"isvc.{component}", SERVICE_LABEL: meta.name(isvc), COMPONENT_LABEL: role}


def child(obj: Object, labels: dict[str, str], rendered: str = "") -> Object:
    extra: Object = {"labels": labels, **({"annotations": {RENDERED: rendered}} if rendered else {})}
    return {**obj, "metadata": {**obj["metadata"], **extra}}


def digest(obj: Object) -> str:
    """By which pods and routes of this rendering are told from older ones."""
    return str(meta.annotations(obj).get(RENDERED) or "")


def digest_of(part: Object) -> str:
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:10]


def revision(deployment: Object) -> str:
    """As Knative names it. The first of a Deployment that is named by its number has that name."""
    number = int(meta.annotations(deployment).get("deployment.kubernetes.io/revision") or 1)
    return meta.name(deployment) if number_of(deployment) else f"{meta.name(deployment)}-{number:05d}"


def number_of(deployment: Object) -> int:
    last = meta.name(deployment).rpartition("-")[2]
    return int(last) if len(last) == 5 and last.isdigit() else 0
