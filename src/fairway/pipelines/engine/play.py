"""A run in memory, and what the engine works on it with. Any failure drops it; the records have all of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from fairway.artifacts.store import Artifacts
from fairway.kernel.control.controller import World
from fairway.kernel.objects.meta import Key
from fairway.pipelines.engine.slots import Slots
from fairway.pipelines.engine.transfers import Transfers
from fairway.pipelines.render import folders
from fairway.pipelines.render.graph import WINDOW, Graph
from fairway.pipelines.render.model import Instance
from fairway.pipelines.settings import PipelinesSettings
from fairway.pipelines.stores import Stores
from fairway.records.database import Database


@dataclass(frozen=True)
class Means:
    """What all runs share. `window` bounds the step pods of one run at a time."""

    records: Database
    artifacts: Artifacts
    window: int = WINDOW
    public_url: str = ""
    settings: PipelinesSettings = field(default_factory=PipelinesSettings)
    stores: Stores = field(default_factory=Stores)


@dataclass
class Play:
    """`pods` are those that were asked for and have not been seen to end."""

    means: Means
    world: World
    slots: Slots
    transfers: Transfers
    graph: Graph
    retries: int
    asked: int
    """The requests that it has read."""
    pods: dict[str, Instance] = field(default_factory=dict)
    held: list[Instance] = field(default_factory=list)
    """Those of them that a pause keeps from being created: an engine that died had decided on them."""
    told: str = ""
    """The phase that the Run object shows."""
    unanswered_until: float = 0.0
    """Until when its bucket is not asked for what is cached."""
    expires_at: float = 0.0
    """When the run, now that it is over, leaves the cluster; 0 for never."""

    @property
    def now(self) -> float:
        return self.world.clock.now()

    @property
    def key(self) -> Key:
        return (self.namespace, self.graph.run.id)

    @property
    def owner(self) -> str:
        """The uid of the Run object, which the pods belong to."""
        return str(self.graph.run.owner.get("uid") or "")

    @property
    def namespace(self) -> str:
        """Where the pods are."""
        return self.graph.run.pod_namespace

    def folder(self, instance: Instance) -> str:
        """The address of the task folder of its newest attempt."""
        return folders.address(self.graph.pipeline, self.graph.run, instance)
