"""The files that Envoy watches: written whole beside the old one and moved in its place, only when different."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from fairway.cluster.network.guards import Resource


class Files:
    """What is in the folder, as this process wrote it. Only one process writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[str, bytes] = {}
        self._clusters: dict[str, Resource] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        endpoints = folder / "endpoints"
        endpoints.mkdir(mode=0o700, exist_ok=True)
        for old in endpoints.iterdir():
            old.unlink()

    def endpoints(self, assignments: dict[str, Resource]) -> bool:
        changed = [self._write(f"endpoints/{name}.json", [one]) for name, one in assignments.items()]
        return any(changed)

    @property
    def cluster_names(self) -> set[str]:
        return set(self._clusters)

    def clusters(self, resources: Iterable[Resource]) -> bool:
        wanted = {resource["name"]: resource for resource in resources}
        written = self._write("clusters.json", wanted.values())
        self._clusters = wanted
        return written

    def with_old_clusters(self, resources: Iterable[Resource]) -> list[Resource]:
        """`resources`, and the clusters that are there now and not among them."""
        return list({**self._clusters, **{resource["name"]: resource for resource in resources}}.values())

    def listeners(self, resources: Iterable[Resource]) -> bool:
        return self._write("listeners.json", resources)

    def routes(self, table: Resource) -> bool:
        return self._write("routes.json", [table])

    def limits(self, filter: Resource) -> bool:
        return self._write("limits.json", [filter])

    def forget_endpoints(self, kept: Iterable[str]) -> None:
        """Drop the files of clusters that are no more, after Envoy has dropped the clusters."""
        alive = {f"endpoints/{name}.json" for name in kept}
        for name in [name for name in self._written if name.startswith("endpoints/") and name not in alive]:
            del self._written[name]
            (self._folder / name).unlink(missing_ok=True)

    def _write(self, name: str, resources: Iterable[Resource]) -> bool:
        """Whether anything was written."""
        body = json.dumps({"resources": list(resources)}, separators=(",", ":")).encode()
        if self._written.get(name) == body:
            return False
        beside = self._folder / f".{name.replace('/', '-')}"
        beside.write_bytes(body)
        os.replace(beside, self._folder / name)
        self._written[name] = body
        return True
