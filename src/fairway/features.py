"""What is built in, in order. Deleting a feature is deleting its folder and its line here."""

from fairway.kernel.feature import Feature
from fairway.pipelines.feature import FEATURE as PIPELINES
from fairway.serving.feature import FEATURE as SERVING

FEATURES: tuple[Feature, ...] = (
    PIPELINES,
    SERVING,
)
