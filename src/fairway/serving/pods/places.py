"""The models of a pod, put where its containers look for them. Pure.

Our own server reads a path of this machine where it is; any other container finds it mounted where KServe puts models.
A claim is mounted, and what has to be fetched is fetched by an init container into a volume of the pod's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from posixpath import commonpath

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.runtimes import built_in
from fairway.serving.runtimes.built_in import MODEL_DIR
from fairway.serving.storage import containers as fetchers
from fairway.serving.storage import uris
from fairway.serving.storage.containers import Stores
from fairway.serving.storage.credentials import Given
from fairway.serving.storage.uris import Claim, Local, Source

READ_ONLY = "storage.kserve.io/readonly"

_FETCHED, _CLAIMED = "kserve-provision-location", "kserve-pvc-source"
_FILE = re.compile(r"[^/]+\.[A-Za-z]\w*")
"""The last part of a path that names a file, by its looks: whether it is one cannot be seen from here."""


@dataclass(frozen=True, slots=True)
class Model:
    """An address, and the folder in which containers look for what is there."""

    uri: str
    folder: str = MODEL_DIR


@dataclass(frozen=True)
class Wanted:
    """All models of one component, and how they may be fetched. `named` is storageContainerName."""

    models: tuple[Model, ...]
    stores: Stores
    given: Given = field(default_factory=Given)
    named: str = ""


@dataclass(frozen=True)
class Placed:
    """Containers that find their models, and what their pod needs for that."""

    containers: tuple[Object, ...]
    volumes: tuple[Object, ...] = ()
    inits: tuple[Object, ...] = ()

    def mounted(self, volume: Object, mount: Object) -> Placed:
        """With one more volume, which all of the containers mount."""
        there = tuple(_with_mount(one, {"name": volume["name"], **mount}) for one in self.containers)
        return replace(self, containers=there, volumes=(*self.volumes, volume))


def placed(isvc: Object, serving: Sequence[Object], wanted: Wanted) -> Placed:
    """`serving` are the containers that read models; the first is the server. Raises NotSupported."""
    read_only = meta.annotations(isvc).get(READ_ONLY) != "false"
    result, several = Placed(tuple(serving)), len(wanted.models) > 1
    fetched: list[Model] = []
    for model in wanted.models:
        source = _source(model.uri, wanted.stores)
        if isinstance(source, Local):
            result = _local(result, source, model.folder, several=several, read_only=read_only)
        elif isinstance(source, Claim):
            name = _volume(model.folder) if several else _CLAIMED
            result = result.mounted(*_claim(source, model.folder, name, read_only=read_only))
        else:
            fetched.append(replace(model, uri=source.uri))
    return _fetching(result, fetched, wanted, read_only=read_only) if fetched else result


def _source(uri: str, stores: Stores) -> Source:
    """What a container of the cluster's own fetches goes to it as it is."""
    if fetchers.taken(uri, stores.containers):
        return uris.Remote(uri)
    return uris.source(uri, stores.mirrors)


def _local(result: Placed, source: Local, folder: str, *, several: bool, read_only: bool) -> Placed:
    server, *others = result.containers
    name = source.path.rstrip("/").rpartition("/")[2]
    target = f"{folder}/{name}" if _FILE.fullmatch(name) else folder
    volume = {"name": _volume(folder) if several else _FETCHED, "hostPath": {"path": source.path}}
    mount = {"mountPath": target, "readOnly": read_only}
    if not built_in.ours(server) or several or folder != MODEL_DIR:
        return result.mounted(volume, mount)
    beside = replace(result, containers=tuple(others))
    beside = beside.mounted(volume, mount) if others else beside
    return replace(beside, containers=(_pointed(server, source.path), *beside.containers))


def _claim(source: Claim, folder: str, name: str, *, read_only: bool) -> tuple[Object, Object]:
    volume: Object = {"name": name, "persistentVolumeClaim": {"claimName": source.name}}
    mount: Object = {"mountPath": folder, "readOnly": read_only}
    return volume, {**mount, "subPath": source.path} if source.path else mount


def _fetching(result: Placed, models: Sequence[Model], wanted: Wanted, *, read_only: bool) -> Placed:
    """One volume for all that is fetched, at the folder that holds all of their folders."""
    above = commonpath([model.folder for model in models]) if len(models) > 1 else models[0].folder
    volume: Object = {"name": _FETCHED if above == MODEL_DIR else _volume(above), "emptyDir": {}}
    pairs = [(model.uri, model.folder) for model in models]
    init = fetchers.fetching(pairs, wanted.stores, wanted.given, named=wanted.named, like=result.containers[0])
    init = _with_mount(init, {"name": volume["name"], "mountPath": above})
    result = result.mounted(volume, {"mountPath": above, "readOnly": read_only})
    return replace(result, volumes=(*result.volumes, *wanted.given.volumes), inits=(init,))


def _pointed(server: Object, path: str) -> Object:
    """With the model's own path in the arguments, instead of the folder where it would be mounted."""
    arguments = [text.replace(f"={MODEL_DIR}", f"={path}", 1) for text in server.get("args") or ()]
    return {**server, "args": arguments}


def _with_mount(container: Object, mount: Object) -> Object:
    own: Iterable[Object] = container.get("volumeMounts") or ()
    return {**container, "volumeMounts": [*own, mount]}


def _volume(folder: str) -> str:
    """A volume's name from the folder where it is.

    >>> _volume("/mnt/models/base_1")
    'mnt-models-base-1'
    """
    return re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")[:63]
