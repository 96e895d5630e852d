"""Which group versions another server answers: the APIServices that name a Service, kept until one of them changes.

A request costs a look at a number; where there are no such APIServices, nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fairway.cluster.api.aggregation.priorities import Priority
from fairway.cluster.api.registry import Registry
from fairway.cluster.store.protocol import Store
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import API_SERVICE, Object

GroupVersion = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """One group version, and the Service behind which its server listens."""

    group: str
    version: str
    namespace: str
    service: str
    port: int
    bundle: str
    unchecked: bool
    available: bool
    priority: Priority

    @property
    def path(self) -> str:
        return f"/apis/{self.group}/{self.version}"

    @property
    def server_name(self) -> str:
        """What its certificate must say."""
        return f"{self.service}.{self.namespace}.svc"


class Shelf:
    def __init__(self, store: Store, registry: Registry) -> None:
        self._store, self._registry = store, registry
        self._changed = -1
        self._found: dict[GroupVersion, Elsewhere] = {}

    def all(self) -> Mapping[GroupVersion, Elsewhere]:
        changed = self._store.changed(API_SERVICE.resource)
        if changed != self._changed:
            records = self._store.list(API_SERVICE.resource).records
            found = [elsewhere(record.object) for record in records if record.object["spec"].get("service")]
            # What is built in stays here, whatever somebody writes.
            self._found = {(one.group, one.version): one for one in found if not self._registry.is_builtin(one.group)}
            self._changed = changed
        return self._found

    def of(self, path: str) -> Elsewhere | None:
        """The server that answers `path`, be it of a resource, of discovery or of a schema."""
        found = self.all()
        if not found:
            return None
        parts = path.removeprefix("/openapi/v3").split("/", 4)
        if len(parts) < 4 or parts[1] != "apis":
            return None
        return found.get((parts[2], parts[3]))


def elsewhere(service: Object) -> Elsewhere:
    spec = service["spec"]
    reference = spec["service"]
    return Elsewhere(
        str(spec.get("group") or ""),
        str(spec["version"]),
        reference["namespace"],
        reference["name"],
        int(reference.get("port") or 443),
        str(spec.get("caBundle") or ""),
        bool(spec.get("insecureSkipTLSVerify")),
        conditions.is_true(service, "Available"),
        Priority(int(spec["groupPriorityMinimum"]), int(spec["versionPriority"])),
    )
