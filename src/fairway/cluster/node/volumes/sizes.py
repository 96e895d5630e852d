"""Whether a pod takes more of the disk than it may: emptyDirs with a sizeLimit, and limits of ephemeral-storage.

The worker asks from time to time, and only of pods that have such a limit, as the kubelet's eviction does; the words
are its own. What is counted are blocks on disk, as `du` does. Of a container in an engine, what it writes outside of
its volumes is not seen.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fairway.cluster.node.volumes import folders
from fairway.kernel.objects import pod_totals, quantities
from fairway.kernel.objects.kinds import Object

EPHEMERAL = "ephemeral-storage"
_BLOCK = 512


def limited(pod: Object) -> bool:
    return EPHEMERAL in pod_totals.limits(pod) or any(_limit(volume) for volume in _empty_dirs(pod))


def exceeded(pod: Object, folder: Path) -> str:
    """What is more than it may be, or nothing. `folder` is the pod's. It reads the disk, and may take a while."""
    for volume in _empty_dirs(pod):
        limit = _limit(volume)
        if limit and used(folders.own_folder(volume, pod, folder)) > limit:
            text = volume["emptyDir"]["sizeLimit"]
            return f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{text}". '
    total = pod_totals.limits(pod).get(EPHEMERAL)
    if total is not None and _own(pod, folder) > total:
        text = quantities.canonical(total, binary=True)
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {text}. "
    for container in pod["spec"]["containers"]:
        alone = pod_totals.part(container, "limits").get(EPHEMERAL)
        if alone is not None and _logs(container["name"], folder) > alone:
            text = quantities.canonical(alone, binary=True)
            return f'Container {container["name"]} exceeded its local ephemeral storage limit "{text}". '
    return ""


def release(pod: Object, folder: Path) -> None:
    """Give back what the emptyDirs of a pod that is over have taken."""
    for volume in _empty_dirs(pod):
        shutil.rmtree(folders.own_folder(volume, pod, folder), ignore_errors=True)


def used(folder: Path) -> int:
    """Bytes on disk below a folder. A file with several names counts once, what a link names not at all."""
    counted: dict[tuple[int, int], int] = {}
    waiting = [str(folder)]
    while waiting:
        for entry in _entries(waiting.pop()):
            with suppress(OSError):  # it went while we looked
                found = entry.stat(follow_symlinks=False)
                counted[(found.st_dev, found.st_ino)] = found.st_blocks * _BLOCK
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return sum(counted.values())


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _own(pod: Object, folder: Path) -> int:
    """All that the pod has on disk here, but for volumes that stand for claims."""
    claims = (volume for volume in pod["spec"].get("volumes") or () if "ephemeral" in volume)
    return used(folder) - sum(used(folders.own_folder(volume, pod, folder)) for volume in claims)


def _logs(container: str, folder: Path) -> int:
    """Of all its attempts: what else it writes outside of its volumes is the whole pod's here."""
    return sum(used(attempt) for attempt in folder.glob(f"{container}.[0-9]*"))


def _empty_dirs(pod: Object) -> Iterator[Object]:
    return (volume for volume in pod["spec"].get("volumes") or () if "emptyDir" in volume)


def _limit(volume: Object) -> int:
    """In bytes; 0 where there is none."""
    return quantities.whole((volume["emptyDir"] or {}).get("sizeLimit") or 0)
