"""FEATURE: what pipelines offer to the platform: the Run kind, the API's routes, the engine's controller."""

from __future__ import annotations

from fairway.artifacts.settings import ArtifactsSettings
from fairway.artifacts.store import open_store
from fairway.kernel.feature import Feature, Page, Parts, Platform, Ready, Service
from fairway.pipelines import far
from fairway.pipelines.api.context import Context
from fairway.pipelines.api.routes import routes
from fairway.pipelines.api.starting import Starting
from fairway.pipelines.controller import Engine
from fairway.pipelines.engine.crowding import Crowding
from fairway.pipelines.engine.play import Means
from fairway.pipelines.kinds import KINDS
from fairway.pipelines.notices.loop import Notices
from fairway.pipelines.removing import Removing
from fairway.pipelines.schedules.loop import Schedules
from fairway.pipelines.settings import PipelinesSettings
from fairway.pipelines.stores import Stores
from fairway.pipelines.triggers.loop import Triggers
from fairway.pipelines.waking import Bell
from fairway.records.database import Database


def build(platform: Platform) -> Parts:
    """Open records and artifacts, and build both halves on them: the API and the engine."""
    bell = Bell()
    records = Database.open(platform.records_url, written=bell.ring)
    bucket = platform.artifacts_url if platform.artifacts_url.startswith(far.BUCKETS) else ""
    artifacts = open_store((platform.state_dir / "artifacts").as_uri() if bucket else platform.artifacts_url)
    stores = Stores(platform.settings_of(ArtifactsSettings), bucket.rstrip("/"), platform.state_dir / "fetched")
    settings, url = platform.settings_of(PipelinesSettings), platform.public_url
    context = Context(platform.client, platform.clock, records, artifacts, settings, stores, bell=bell, public_url=url)
    means = Means(records, artifacts, public_url=url, settings=settings, stores=stores)
    engine = Engine(means)
    starting = Starting(context)

    async def keep_runs_started(ready: Ready) -> None:
        try:
            await starting.run(ready)
        finally:
            await records.close()

    return Parts(
        controllers=(engine.controller(), Crowding(means).controller()),
        routes=routes(context),
        services=(
            Service("pipelines", keep_runs_started),
            Service("transfers", engine.transfers.run),
            Service("schedules", Schedules(context).run),
            Service("triggers", Triggers(context).run),
            Service("notices", Notices(context).run),
            Service("removals", Removing(context).run),
        ),
    )


FEATURE = Feature(
    name="pipelines",
    build=build,
    kinds=KINDS,
    settings=PipelinesSettings,
    pages=(
        Page("Pipelines", "/pipelines"),
        Page("Experiments", "/experiments"),
        Page("Runs", "/runs"),
        Page("Schedules", "/recurringruns"),
        Page("Triggers", "/triggers"),
        Page("Notices", "/notices"),
        Page("Pools", "/pools"),
    ),
)
