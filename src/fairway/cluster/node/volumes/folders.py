"""A pod's volumes as folders on disk, and a container's view of them.

Served: emptyDir, configMap, secret, projected, downwardAPI, hostPath, ephemeral (which is a folder of the pod's own),
persistentVolumeClaim (a folder of the data directory). Every other kind is refused by name. The files of configMap,
secret, projected and downwardAPI volumes are made here when a container starts; `following` renews them later.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fairway.cluster.node.claims import Folders, volume_name
from fairway.cluster.node.runtime import CannotStart, Mount
from fairway.cluster.node.variables import Facts, Fetch, expand
from fairway.cluster.node.volumes import contents, publishing
from fairway.cluster.node.volumes.contents import Token
from fairway.kernel.objects import meta, volume_claims
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, Object

ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"

Bind = Callable[[Object], Awaitable[None]]
"""Says of a claim that it has its volume, which is at its first use."""

_ANYBODYS = 0o777
"""The mode of a folder that a container may write to, whichever user it runs as. What it lies in is ours alone."""
_MEMORY = Path("/dev/shm")  # noqa: S108 - each pod has a folder of its own there


class Place(NamedTuple):
    """The folder or file of a volume."""

    path: Path
    given: bool = False
    """Its files are an object's: a container only reads them."""


class Volumes:
    def __init__(self, claims: Folders, fetch: Fetch, bind: Bind) -> None:
        self._claims, self._fetch, self._bind = claims, fetch, bind

    async def prepare(self, pod: Object, folder: Path, facts: Facts, token: Token) -> dict[str, Place]:
        """By the volumes' names. May run twice; what a container wrote stays. Raises CannotStart."""
        return {
            volume["name"]: await self._place(volume, pod, folder, facts, token)
            for volume in pod["spec"].get("volumes") or ()
        }

    async def _place(self, volume: Object, pod: Object, folder: Path, facts: Facts, token: Token) -> Place:
        if volume.get("hostPath"):
            return Place(_host_path(volume["hostPath"]))
        if claim := volume.get("persistentVolumeClaim"):
            return Place(await self._claim(claim["claimName"], meta.namespace(pod)))
        sources = contents.sources(volume)
        if sources is None and "emptyDir" not in volume and "ephemeral" not in volume:
            kind = next((key for key in volume if key != "name"), "an unnamed kind")
            raise CannotStart(
                "VolumeNotSupported",
                f'volume "{volume["name"]}" of kind {kind} is not supported on one machine. Use emptyDir, configMap, '
                "secret, projected, downwardAPI, hostPath, ephemeral or persistentVolumeClaim.",
            )
        place = own_folder(volume, pod, folder)
        if sources is None:
            if place.parent == in_memory(meta.uid(pod)):
                _make_ours(place.parent)
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(_ANYBODYS)
            return Place(place)
        place.mkdir(parents=True, exist_ok=True)
        publishing.publish(place, await contents.files(sources, pod, facts, self._fetch, token))
        return Place(place, given=True)

    async def _claim(self, name: str, namespace: str) -> Path:
        claim = await self._fetch(PERSISTENT_VOLUME_CLAIM, name, namespace)
        if claim is None:
            raise CannotStart("VolumeNotReady", f'persistentvolumeclaim "{name}" not found')
        volume = claim["spec"].get("volumeName")
        static = await self._static(volume, claim) if volume and volume != volume_name(claim) else None
        if (claim.get("status") or {}).get("phase") != "Bound":
            await self._bind(claim)
        return static or self._claims.of(claim)

    async def _static(self, name: str, claim: Object) -> Path:
        """A volume that an administrator made by hand, and a claim names."""
        volume = await self._fetch(PERSISTENT_VOLUME, name, "")
        if volume is None:
            raise CannotStart("VolumeNotReady", f'persistentvolume "{name}" not found')
        if not volume_claims.free_for(claim, volume):
            raise CannotStart("VolumeNotReady", f'volume "{name}" already bound to a different claim.')
        for kind in ("hostPath", "local"):
            if place := volume["spec"].get(kind):
                return _host_path(place)
        raise CannotStart(
            "VolumeNotSupported",
            f'persistentvolume "{name}" is neither hostPath nor local, which is all there is',
        )


def own_folder(volume: Object, pod: Object, folder: Path) -> Path:
    """Of a volume that is the pod's alone."""
    name = str(volume["name"])
    if (volume.get("emptyDir") or {}).get("medium") == "Memory" and os.access(_MEMORY, os.W_OK | os.X_OK):
        return in_memory(meta.uid(pod)) / name
    return folder / "volumes" / name


async def renew(
    volume: Object, pod: Object, folder: Path, facts: Facts, fetch: Fetch, token: Token, wanted: Callable[[], bool]
) -> None:
    """The files of a volume as its objects are now, while that is `wanted`. Tokens stay: they are renewed when they
    are due. Raises CannotStart where a source is not there; then all stays."""
    sources, place = contents.sources(volume), own_folder(volume, pod, folder)
    if sources is None:
        return

    async def kept(source: Object) -> str:
        return "" if publishing.current(place, source["path"]).exists() else await token(source)

    files = await contents.files(sources, pod, facts, fetch, kept)
    for source in contents.tokens(volume):  # now, and not before: one may have been renewed while we asked
        with suppress(FileNotFoundError):
            now = publishing.current(place, source["path"]).read_bytes()
            files[source["path"]] = files[source["path"]]._replace(content=now)
    if wanted() and place.exists():
        publishing.publish(place, files)


def tokens(pod: Object, folder: Path) -> Iterator[tuple[Path, Object]]:
    """The files of a pod's volumes that are tokens, each with its source: they end, and have to be renewed."""
    for volume in pod["spec"].get("volumes") or ():
        for wanted in contents.tokens(volume):
            yield publishing.current(own_folder(volume, pod, folder), wanted["path"]), wanted


def in_memory(pod: str) -> Path:
    """Where the volumes in memory of a pod are, by its uid. They go with it."""
    return _MEMORY / f"fairway-{pod}"


def mounts(container: Object, places: dict[str, Place], env: Mapping[str, str], folder: Path) -> tuple[Mount, ...]:
    """What the container sees where. Raises CannotStart for a mount of a volume that the pod does not have."""
    result = []
    for number, mount in enumerate(container.get("volumeMounts") or ()):
        place = places.get(mount["name"])
        if place is None:
            raise CannotStart("CreateContainerConfigError", f'volume "{mount["name"]}" of a volumeMount not found')
        source = place.path
        if below := mount.get("subPath") or _expanded(mount.get("subPathExpr") or "", env):
            source = _inside(source, below)
            if place.given and source.exists():
                copy = folder / "subpaths" / mount["name"] / container["name"] / str(number)
                publishing.copy(source, copy)
                source = copy
            elif not source.exists():
                source.mkdir(parents=True)
        target = f"/{mount['mountPath'].lstrip('/')}"  # one that is not absolute is taken from the root
        result.append(Mount(str(source), target, bool(mount.get("readOnly")) or place.given))
    return tuple(result)


def _make_ours(folder: Path) -> None:
    """In a place where everybody of this machine may make folders and links."""
    folder.mkdir(exist_ok=True, mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise CannotStart("VolumeNotReady", f"{folder} belongs to somebody else: remove it")


def _expanded(expression: str, env: Mapping[str, str]) -> str:
    text = expand(expression, env)
    if "$(" in text:
        raise CannotStart("CreateContainerConfigError", f"subPathExpr {expression} names a variable that is not there")
    return text


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
