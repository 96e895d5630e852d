"""What serving offers to the house."""

from __future__ import annotations

import os

from fairway.kernel import settings
from fairway.kernel.feature import Feature, Page, Parts, Platform
from fairway.serving import controller, kinds
from fairway.serving.render import Place
from fairway.serving.settings import ServingSettings


def build(platform: Platform) -> Parts:
    chosen = settings.load(ServingSettings, environment=os.environ).values
    place = Place(domain=chosen.domain, public_url=platform.public_url)
    return Parts(controllers=(controller.build(place),))


FEATURE = Feature(name="serving", build=build, kinds=(kinds.KIND,), pages=(Page("Services", "#/services"),))
