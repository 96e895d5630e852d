"""Which container has which GPU: CUDA_VISIBLE_DEVICES, since a process could use all of them otherwise.

The scheduler counts devices; here each gets its owner. Who has what is noted in the pod's folder, so that a
restarted agent does not give a device away twice.
"""

from __future__ import annotations

from pathlib import Path

from fairway.cluster.node.runtime import CannotStart
from fairway.cluster.node.shepherd import records
from fairway.kernel.objects import quantities
from fairway.kernel.objects.kinds import Object

RESOURCE = "nvidia.com/gpu"
_NOTE = "gpus"


class Devices:
    def __init__(self, count: int) -> None:
        self._free = set(range(count))
        self._given: dict[str, dict[str, list[int]]] = {}
        self.count = count

    def keep(self, pod: str, folder: Path) -> None:
        """A pod that was here before has what its note says."""
        given = records.read(str(folder), _NOTE) if self.count else None
        if given:
            self._given[pod] = given
            for devices in given.values():
                self._free -= set(devices)

    def variables(self, pod: str, folder: Path, container: Object) -> dict[str, str]:
        """What shows a container its devices and no others. Nothing on a machine without any."""
        if not self.count:
            return {}
        limits = (container.get("resources") or {}).get("limits") or {}
        wanted = quantities.whole(limits.get(RESOURCE, 0))
        mine = self._given.setdefault(pod, {})
        if container["name"] not in mine:
            if wanted > len(self._free):
                raise CannotStart("UnexpectedAdmissionError", f"{wanted} GPUs wanted, {len(self._free)} are free")
            mine[container["name"]] = sorted(self._free)[:wanted]
            self._free -= set(mine[container["name"]])
            if wanted:
                folder.mkdir(parents=True, exist_ok=True)
                records.write(str(folder), _NOTE, mine)
        return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, mine[container["name"]]))}

    def free(self, pod: str) -> None:
        for devices in self._given.pop(pod, {}).values():
            self._free |= set(devices)
