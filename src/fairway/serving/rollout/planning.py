"""From an InferenceService and the Deployments that it has to what is to run now. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving import reading
from fairway.serving.reading import Surroundings
from fairway.serving.rollout import bounds, variants, versions
from fairway.serving.rollout.arrangement import Arrangement
from fairway.serving.spec.refusals import NotSupported


def plan(isvc: Object, around: Surroundings, deployments: Mapping[str, Object], now: float) -> Arrangement:
    """Raises NotSupported."""
    sentences = [*variants.mistakes(isvc), *versions.mistakes(isvc)]
    try:
        bounds.read(meta.annotations(isvc).get(bounds.ANNOTATION) or "")
    except ValueError as wrong:
        sentences.append(str(wrong))
    if sentences:
        raise NotSupported("InvalidPredictorSpec", sentences)
    asked = reading.read(isvc, around)
    part = isvc["spec"]["predictor"]
    if isvc["spec"].get("canary") or part.get("name"):
        return variants.arrange(isvc, asked, around, deployments)
    return versions.arrange(isvc, asked, deployments, now)
