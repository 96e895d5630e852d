"""A pod's volumes as folders on disk, and a container's view of them.

Served: emptyDir, configMap, secret, projected, downwardAPI, hostPath, ephemeral (which is a folder of the pod's own),
persistentVolumeClaim (a folder of the data directory). Every other kind is refused by name. The files of configMap and
secret volumes are those of the moment when the pod starts.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

from fairway.cluster.node.claims import Folders, volume_name
from fairway.cluster.node.runtime import CannotStart, Mount
from fairway.cluster.node.variables import Facts, Fetch, expand, field, resource, values
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import CONFIG_MAP, PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, SECRET, Object

ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"

Token = Callable[[Object], Awaitable[str]]
"""From a projected serviceAccountToken source to a token."""

Bind = Callable[[Object], Awaitable[None]]
"""Says of a claim that it has its volume, which is at its first use."""

_ANYBODYS = 0o777
"""The mode of a folder that a container may write to, whichever user it runs as. What it lies in is ours alone."""
_FILE_MODE = 0o644
_MEMORY = Path("/dev/shm")  # noqa: S108 - each pod has a folder of its own there


class Volumes:
    def __init__(self, claims: Folders, fetch: Fetch, bind: Bind) -> None:
        self._claims, self._fetch, self._bind = claims, fetch, bind

    async def prepare(self, pod: Object, folder: Path, facts: Facts, token: Token) -> dict[str, Path]:
        """Volume name to folder or file. May run twice; what a container wrote stays. Raises CannotStart."""
        result: dict[str, Path] = {}
        for volume in pod["spec"].get("volumes") or ():
            place = folder / "volumes" / volume["name"]
            if volume.get("hostPath"):
                place = _host_path(volume["hostPath"])
            elif claim := volume.get("persistentVolumeClaim"):
                place = await self._claim(claim["claimName"], meta.namespace(pod))
            else:
                if (volume.get("emptyDir") or {}).get("medium") == "Memory" and os.access(_MEMORY, os.W_OK | os.X_OK):
                    in_memory(meta.uid(pod)).mkdir(exist_ok=True, mode=0o700)
                    place = in_memory(meta.uid(pod)) / volume["name"]
                place.mkdir(parents=True, exist_ok=True)
                await self._fill(volume, pod, place, facts, token)
            result[volume["name"]] = place
        return result

    async def _fill(self, volume: Object, pod: Object, place: Path, facts: Facts, token: Token) -> None:
        if "emptyDir" in volume or "ephemeral" in volume:
            place.chmod(_ANYBODYS)
            return
        if projected := volume.get("projected"):
            for source in projected.get("sources") or ():
                await self._project(source, pod, place, facts, token, projected.get("defaultMode") or _FILE_MODE)
            return
        for word in ("configMap", "secret", "downwardAPI"):
            if word in volume:
                content = dict(volume[word] or {})
                content.setdefault("name", content.get("secretName"))
                mode = content.get("defaultMode") or _FILE_MODE
                await self._project({word: content}, pod, place, facts, token, mode)
                return
        kind = next((key for key in volume if key != "name"), "an unnamed kind")
        raise CannotStart(
            "VolumeNotSupported",
            f'volume "{volume["name"]}" of kind {kind} is not supported on one machine. Use emptyDir, configMap, '
            "secret, projected, downwardAPI, hostPath, ephemeral or persistentVolumeClaim.",
        )

    async def _project(self, source: Object, pod: Object, place: Path, facts: Facts, token: Token, mode: int) -> None:
        for word, kind in (("configMap", CONFIG_MAP), ("secret", SECRET)):
            if word in source:
                data = await values(kind, source[word], meta.namespace(pod), self._fetch)
                for path, content, own in _chosen(source[word], data or {}):
                    _write(place, path, content, own or mode)
        for item in (source.get("downwardAPI") or {}).get("items") or ():
            if "fieldRef" in item:
                text = field(pod, item["fieldRef"]["fieldPath"], facts)
            else:
                text = resource(pod, pod["spec"]["containers"][0], item["resourceFieldRef"], facts)
            _write(place, item["path"], text.encode(), item.get("mode") or mode)
        if wanted := source.get("serviceAccountToken"):
            _write(place, wanted["path"], (await token(wanted)).encode(), mode)

    async def _claim(self, name: str, namespace: str) -> Path:
        claim = await self._fetch(PERSISTENT_VOLUME_CLAIM, name, namespace)
        if claim is None:
            raise CannotStart("VolumeNotReady", f'persistentvolumeclaim "{name}" not found')
        if (claim.get("status") or {}).get("phase") != "Bound":
            await self._bind(claim)
        volume = claim["spec"].get("volumeName")
        if volume and volume != volume_name(claim):
            return await self._static(volume)
        return self._claims.of(claim)

    async def _static(self, name: str) -> Path:
        """A volume that an administrator made by hand, and a claim names."""
        volume = await self._fetch(PERSISTENT_VOLUME, name, "")
        if volume is None:
            raise CannotStart("VolumeNotReady", f'persistentvolume "{name}" not found')
        for kind in ("hostPath", "local"):
            if place := volume["spec"].get(kind):
                return _host_path(place)
        raise CannotStart(
            "VolumeNotSupported",
            f'persistentvolume "{name}" is neither hostPath nor local, which is all there is',
        )


def tokens(pod: Object, folder: Path) -> Iterator[tuple[Path, Object]]:
    """The files of a pod's volumes that are tokens, each with its source: they end, and have to be renewed."""
    for volume in pod["spec"].get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            if wanted := source.get("serviceAccountToken"):
                yield _inside(folder / "volumes" / volume["name"], wanted["path"]), wanted


def in_memory(pod: str) -> Path:
    """Where the volumes in memory of a pod are, by its uid. They go with it."""
    return _MEMORY / f"fairway-{pod}"


def mounts(container: Object, places: dict[str, Path], env: Mapping[str, str]) -> tuple[Mount, ...]:
    """What the container sees where. Raises CannotStart for a mount of a volume that the pod does not have."""
    result = []
    for mount in container.get("volumeMounts") or ():
        source = places.get(mount["name"])
        if source is None:
            raise CannotStart("CreateContainerConfigError", f'volume "{mount["name"]}" of a volumeMount not found')
        if below := mount.get("subPath") or _expanded(mount.get("subPathExpr") or "", env):
            source = _inside(source, below)
            if not source.exists():
                source.mkdir(parents=True)
        target = f"/{mount['mountPath'].lstrip('/')}"  # one that is not absolute is taken from the root
        result.append(Mount(str(source), target, bool(mount.get("readOnly"))))
    return tuple(result)


def _expanded(expression: str, env: Mapping[str, str]) -> str:
    text = expand(expression, env)
    if "$(" in text:
        raise CannotStart("CreateContainerConfigError", f"subPathExpr {expression} names a variable that is not there")
    return text


def _chosen(source: Object, data: dict[str, bytes]) -> list[tuple[str, bytes, int]]:
    """(path, content, its own mode or 0) of the keys that are wanted: all, or those of `items`."""
    if not source.get("items"):
        return [(key, content, 0) for key, content in data.items()]
    missing = [item["key"] for item in source["items"] if item["key"] not in data]
    if missing and not source.get("optional"):
        message = f"references non-existent config key: {missing[0]}"
        raise CannotStart("CreateContainerConfigError", message)
    return [(item["path"], data[item["key"]], item.get("mode") or 0) for item in source["items"] if item["key"] in data]


def _write(place: Path, path: str, content: bytes, mode: int) -> None:
    target = _inside(place, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode | 0o200)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _inside(place: Path, path: str) -> Path:
    """`path` below `place`, also when it tries to leave."""
    target = (place / path.lstrip("/")).resolve()
    if not target.is_relative_to(place.resolve()):
        raise CannotStart("CreateContainerConfigError", f'path "{path}" leaves its volume')
    return target


def _host_path(wanted: Object) -> Path:
    place, kind = Path(wanted["path"]), wanted.get("type") or ""
    if kind == "DirectoryOrCreate":
        place.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate":
        place.touch()
    fits = {"Directory": place.is_dir, "File": place.is_file, "Socket": place.is_socket}.get(kind, place.exists)
    if not fits():
        raise CannotStart("VolumeNotReady", f"hostPath {place} is not there, or is no {kind or 'file or folder'}")
    return place
