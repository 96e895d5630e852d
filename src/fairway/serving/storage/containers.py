"""The init container that fetches models: our own program, or that of a ClusterStorageContainer. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fairway.artifacts import mirrors as mirroring
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.runtimes import merging
from fairway.serving.spec.refusals import NotSupported
from fairway.serving.storage.credentials import PLACEHOLDER, Given

NAME = "storage-initializer"
_IMAGE, _COMMAND = "fairway/storage-initializer:latest", ("python3", "-m", "fairway.serving.storage")
_INIT = "initContainer"
_PATTERNS = ("STORAGE_ALLOW_PATTERNS", "STORAGE_IGNORE_PATTERNS")
_SMALL: Object = {"requests": {"cpu": "100m", "memory": "100Mi"}}
"""No limits: a large model is to come as fast as it can, and what it needs is the kernel's cache."""


@dataclass(frozen=True)
class Stores:
    """What of the platform and the cluster decides how models are fetched. `cache` is a folder that pods may share."""

    mirrors: tuple[str, ...] = ()
    cache: str = ""
    containers: Sequence[Object] = field(default_factory=tuple)

    def resolved(self, uri: str) -> str:
        """Where an address is kept; what a container of the cluster's own fetches stays as it is."""
        return uri if taken(uri, self.containers) else mirroring.resolved(uri, self.mirrors)


def fetching(pairs: Sequence[tuple[str, str]], stores: Stores, given: Given, *, named: str, like: Object) -> Object:
    """Fetches each address into its folder. `like` is the container that is to serve, for its patterns of names.

    `named` is the ClusterStorageContainer that the user asked for. Raises NotSupported.
    """
    own = _our_program(pairs, stores, given, like)
    chosen = _chosen(pairs, stores.containers, named)
    if chosen is None:
        return own
    container = {key: value for key, value in chosen["spec"]["container"].items() if key not in ("name", "args")}
    base = {key: value for key, value in own.items() if key not in ("command", "image", "args")}
    arguments = [*(chosen["spec"]["container"].get("args") or ()), *(text for pair in pairs for text in pair)]
    return {**merging.lay(base, container), "args": arguments}


def removing(folder: str) -> Object:
    """Takes a folder away that a fetching container has filled."""
    return {
        "name": NAME,
        "image": _IMAGE,
        "command": list(_COMMAND),
        "args": [f"--remove={folder}"],
        "resources": _SMALL,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def taken(uri: str, containers: Iterable[Object]) -> Object | None:
    """The first that fetches such addresses, in the order of their names."""
    return next((one for one in sorted(containers, key=meta.name) if _usable(one) and _takes(one, uri)), None)


def of_downloads(uri: str, containers: Sequence[Object]) -> Sequence[Object]:
    """Those that fetch it for a local model cache: of workloadType localModelDownloadJob, else as for a pod."""
    own = [
        {**one, "spec": {**one["spec"], "workloadType": _INIT}}
        for one in containers
        if one["spec"].get("workloadType") == "localModelDownloadJob"
    ]
    return own if taken(uri, own) else containers


def _our_program(pairs: Sequence[tuple[str, str]], stores: Stores, given: Given, like: Object) -> Object:
    flags = [f"--cache={stores.cache}"] if stores.cache else []
    if any(uri.startswith(f"{PLACEHOLDER}://") for uri, _ in pairs):
        flags += [f"--mirror={mirror}" for mirror in stores.mirrors]  # all other addresses have been through them
    patterns = [one for one in like.get("env") or () if one["name"] in _PATTERNS]
    return {
        "name": NAME,
        "image": _IMAGE,
        "command": list(_COMMAND),
        "args": [*flags, *(text for pair in pairs for text in pair)],
        "env": [*given.env, *patterns],
        "volumeMounts": list(given.mounts),
        "resources": _SMALL,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _chosen(pairs: Sequence[tuple[str, str]], containers: Sequence[Object], named: str) -> Object | None:
    if named:
        return _named(pairs, containers, named)
    found = {id(one): one for uri, _ in pairs if (one := taken(uri, containers))}
    if not found:
        return None
    chosen = next(iter(found.values()))
    if len(pairs) > 1 and not (len(found) == 1 and chosen["spec"].get("supportsMultiModelDownload")):
        text = f"The ClusterStorageContainer {meta.name(chosen)} fetches one model; use one storageUri."
        raise NotSupported("InvalidPredictorSpec", [text])
    return chosen


def _named(pairs: Sequence[tuple[str, str]], containers: Sequence[Object], named: str) -> Object:
    where = "spec.predictor.storageContainerName"
    chosen = next((one for one in containers if meta.name(one) == named), None)
    if chosen is None or not _usable(chosen):
        text = (
            f"{where}: there is no enabled ClusterStorageContainer {named!r} of workloadType initContainer; remove it."
        )
        raise NotSupported("InvalidPredictorSpec", [text])
    other = next((uri for uri, _ in pairs if not _takes(chosen, uri)), None)
    if other:
        text = f"{where}: {named} does not fetch {other}; its supportedUriFormats say what it does."
        raise NotSupported("InvalidPredictorSpec", [text])
    return chosen


def _usable(container: Object) -> bool:
    return not container.get("disabled") and (container["spec"].get("workloadType") or _INIT) == _INIT


def _takes(container: Object, uri: str) -> bool:
    for one in container["spec"].get("supportedUriFormats") or ():
        if one.get("prefix"):
            if uri.startswith(one["prefix"]):
                return True
        elif one.get("regex") and _fits(one["regex"], uri):
            return True
    return False


def _fits(pattern: str, uri: str) -> bool:
    """One that cannot be read fits nothing: it must not be in the way of services that have nothing to do with it."""
    try:
        return bool(re.search(pattern, uri))
    except (re.error, OverflowError, RecursionError):
        return False
