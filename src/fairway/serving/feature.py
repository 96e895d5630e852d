"""FEATURE: what serving offers to the platform: its kinds, their controllers, and the built-in runtimes."""

from __future__ import annotations

from fairway.artifacts.settings import ArtifactsSettings
from fairway.kernel.feature import Feature, Page, Parts, Platform
from fairway.serving import controller, kinds
from fairway.serving.caches import controller as caches
from fairway.serving.caches import kinds as cache_kinds
from fairway.serving.graphs import controller as graphs
from fairway.serving.graphs import kinds as graph_kinds
from fairway.serving.llm import controller as llm
from fairway.serving.llm import kinds as llm_kinds
from fairway.serving.models import controller as trained_models
from fairway.serving.models import kinds as trained_kinds
from fairway.serving.render.place import Place
from fairway.serving.rollout.watching import Watch
from fairway.serving.runtimes import installing
from fairway.serving.runtimes import kinds as runtimes
from fairway.serving.scaling import asked
from fairway.serving.scaling.controller import Autoscaler
from fairway.serving.settings import ServingSettings
from fairway.serving.storage import kinds as storage


def build(platform: Platform) -> Parts:
    place = Place(
        domain=platform.domain,
        public_url=platform.public_url,
        mirrors=platform.settings_of(ArtifactsSettings).mirrors,
        model_cache=str(platform.state_dir / "models"),
    )
    settings = platform.settings_of(ServingSettings)
    autoscaler = Autoscaler(platform.clock, grace=asked.seconds(settings.scale_to_zero_grace))
    return Parts(
        controllers=(
            controller.build(place),
            trained_models.build(place),
            *caches.build(place),
            llm.build(place),
            graphs.build(place),
            autoscaler.controller(),
            Watch(autoscaler.stats).controller(),
        ),
        services=(installing.service(platform.client, platform.clock), *autoscaler.services()),
    )


FEATURE = Feature(
    name="serving",
    build=build,
    kinds=(
        kinds.KIND,
        *runtimes.KINDS,
        storage.KIND,
        trained_kinds.KIND,
        *cache_kinds.KINDS,
        *llm_kinds.KINDS,
        graph_kinds.KIND,
    ),
    pages=(Page("Services", "/services"), Page("Graphs", "/graphs")),
    settings=ServingSettings,
)
