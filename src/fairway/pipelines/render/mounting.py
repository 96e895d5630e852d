"""Volumes of a step's pod, by the names that upstream gives them: authors refer to some of them."""

from __future__ import annotations

import re
from typing import Any

from fairway.kernel.objects import names
from fairway.kernel.objects.kinds import Object

_NOT_IN_NAMES = re.compile(r"[^a-z0-9-]+")


def mount(pod: Object, volume: str, source: dict[str, Any], path: str, *, below: str = "") -> None:
    """Mount a volume into the main container, adding it to the pod unless it is there."""
    place = {"mountPath": path, **({"subPath": below} if below else {})}
    mounts = pod["spec"]["containers"][0].setdefault("volumeMounts", [])
    mounts.append({"name": _added(pod, name(volume), source), **place})


def name(written: str) -> str:
    """A name that a volume can have. What is mounted may be called by longer names, or with dots."""
    return written if names.dns_label(written) else names.child(_NOT_IN_NAMES.sub("-", written.lower()).strip("-"))


def _added(pod: Object, wanted: str, source: dict[str, Any]) -> str:
    """A secret and a config map of the same name are two volumes; a claim that is mounted twice is one."""
    volumes = pod["spec"].setdefault("volumes", [])
    chosen, number = wanted, 1
    while (there := next((volume for volume in volumes if volume["name"] == chosen), None)) is not None:
        if there == {"name": chosen, **source}:
            return chosen
        number += 1
        chosen = names.child(wanted, str(number))
    volumes.append({"name": chosen, **source})
    return chosen
