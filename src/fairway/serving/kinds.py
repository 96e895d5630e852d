"""InferenceService as clients of KServe know it, and the words of its status.

The schema (`explained`) checks types of what we read and keeps everything else, so that `spec` can refuse by name what
is not supported; a schema that pruned it would ignore it in silence.
"""

from fairway.kernel.objects.crds import OPEN, Column, CustomKind
from fairway.kernel.objects.kinds import Kind
from fairway.serving import explained

INFERENCE_SERVICE = Kind("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")

SERVICE_LABEL = "serving.kserve.io/inferenceservice"
COMPONENT_LABEL = "component"
RENDERED = "serving.fairway.dev/rendered"
"""On the Deployment, its pods and the routes: a digest of what was rendered, by which their version is known."""


_TRAFFIC = ".status.components.predictor.traffic"

KIND = CustomKind(
    INFERENCE_SERVICE,
    schema={
        "spec": explained.SPEC,
        "status": OPEN,
    },
    short_names=("isvc",),
    categories=("all",),
    columns=(
        Column("URL", ".status.url"),
        Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        Column("Prev", f"{_TRAFFIC}[?(@.tag=='prev')].percent", "integer"),
        Column("Latest", f"{_TRAFFIC}[?(@.latestRevision==true)].percent", "integer"),
        Column("PrevRolledoutRevision", f"{_TRAFFIC}[?(@.tag=='prev')].revisionName"),
        Column("LatestReadyRevision", f"{_TRAFFIC}[?(@.latestRevision==true)].revisionName"),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
)
