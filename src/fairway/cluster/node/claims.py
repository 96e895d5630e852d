"""Folders of PersistentVolumeClaims: one for each claim, made at its first use, removed after the claim is deleted.

A folder is its claim's by uid: a claim that is made again under the same name begins empty, whatever happened in
between. A claim may say that a folder of the machine is its volume; that one is nobody's to remove.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from fairway.kernel.clock import Clock
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.objects import meta, volume_claims
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME, Object

log = logging.getLogger(__name__)

HOST_PATH = "fairway.dev/host-path"

BOUND = "pv.kubernetes.io/bind-completed"
PROVISIONER = "fairway.dev/local-path"
"""Who made the volumes that go with their claims; `workloads.volumes` knows it by the same name."""

_LOOK_AGAIN = 2.0


def volume_name(claim: Object) -> str:
    return f"pvc-{meta.uid(claim)}"


def volume(claim: Object, folder: Path, node: str) -> Object:
    """The claim's folder as a PersistentVolume of the node, which goes when the claim does. Pure."""
    asked = claim["spec"]
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    spec: Object = {
        "capacity": (asked.get("resources") or {}).get("requests") or {},
        "accessModes": asked.get("accessModes") or [],
        "persistentVolumeReclaimPolicy": "Delete",
        "hostPath": {"path": str(folder), "type": "DirectoryOrCreate"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        "claimRef": volume_claims.reference(claim),
    }
    if asked.get("storageClassName"):
        spec["storageClassName"] = asked["storageClassName"]
    annotations = {"pv.kubernetes.io/provisioned-by": PROVISIONER}
    return PERSISTENT_VOLUME.new(volume_name(claim), metadata={"annotations": annotations}, spec=spec)


class Folders:
    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, claim: Object) -> Path:
        """The claim's folder, there to be mounted."""
        if given := meta.annotations(claim).get(HOST_PATH):
            folder = Path(given)
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        folder, owner = self._places(claim)
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.parent.mkdir(exist_ok=True)
        if _text(owner) not in ("", meta.uid(claim)):
            self._remove(folder)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)  # whichever user a container runs as; what it lies in is ours alone
        owner.write_text(meta.uid(claim))
        return folder

    def remove(self, claim: Object) -> None:
        """Of a claim that is gone. What a newer claim of that name has stays."""
        folder, owner = self._places(claim)
        if _text(owner) == meta.uid(claim):
            self._remove(folder)
            owner.unlink()  # last: whoever dies before leaves a folder that the next claim of that name does not keep

    def _places(self, claim: Object) -> tuple[Path, Path]:
        """The folder, and the file that says whose it is."""
        space = self._root / meta.namespace(claim)
        return space / meta.name(claim), space / f".{meta.name(claim)}"

    def _remove(self, folder: Path) -> None:
        """Out of the way at once, and then gone, however long that takes."""
        if not folder.exists():
            return
        gone = folder.with_name(f"..{folder.name}")  # which is no claim's name, nor the file of one
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


class Claims:
    """Sees claims go. A folder that a pod still uses waits for that pod, as Kubernetes protects claims in use."""

    def __init__(self, claims: Mirror, folders: Folders, in_use: Callable[[Object], bool], clock: Clock) -> None:
        self._claims, self._folders, self._in_use, self._clock = claims, folders, in_use, clock
        self._gone: dict[str, Object] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._claims.run(), name="node-claims")
            await self._claims.synced()
            self._claims.subscribe(self._changed)
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._clean()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and (new is None or meta.uid(new) != meta.uid(old)):
            self._gone[meta.uid(old)] = old
            self._wake.set()

    async def _clean(self) -> None:
        for uid, claim in list(self._gone.items()):
            if self._in_use(claim):
                continue
            try:
                await asyncio.to_thread(self._folders.remove, claim)
            except OSError as failure:
                log.warning("the folder of claim %s cannot be removed: %s", meta.name(claim), failure)
            del self._gone[uid]
        if self._gone:
            await self._clock.sleep(_LOOK_AGAIN)
            self._wake.set()


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""
