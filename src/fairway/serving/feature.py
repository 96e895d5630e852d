"""FEATURE: what serving offers to the platform: the InferenceService kind and its controller."""

from __future__ import annotations

from fairway.kernel.feature import Feature, Page, Parts, Platform
from fairway.serving import controller, kinds
from fairway.serving.render import Place


def build(platform: Platform) -> Parts:
    place = Place(domain=platform.domain, public_url=platform.public_url)
    return Parts(controllers=(controller.build(place),))


FEATURE = Feature(name="serving", build=build, kinds=(kinds.KIND,), pages=(Page("Services", "/services"),))
