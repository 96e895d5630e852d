"""Where services are reached: the host names and the path that are theirs. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object


@dataclass(frozen=True, slots=True)
class Place:
    """Hosts end in `domain`; paths begin at `public_url`. Addresses of models go through `mirrors`, and what is fetched
    is kept in `model_cache`, a folder of the machine where pods run (elsewhere it is a folder of the container)."""

    domain: str
    public_url: str
    mirrors: tuple[str, ...] = ()
    model_cache: str = ""


def hosts(isvc: Object, place: Place, name: str = "") -> tuple[str, str]:
    """The first is the service's own, or that of a component's `name`; the second its form with dots."""
    name, namespace = name or meta.name(isvc), meta.namespace(isvc)
    return f"{name}-{namespace}.{place.domain}", f"{name}.{namespace}.{place.domain}"


def path_prefix(isvc: Object) -> str:
    return f"/serving/{meta.namespace(isvc)}/{meta.name(isvc)}"


def inside(name: str, isvc: Object) -> str:
    """A Service's name within the cluster."""
    return f"{name}.{meta.namespace(isvc)}.svc.cluster.local"
