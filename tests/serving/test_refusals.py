"""What is not supported is refused by name, with what to do, and nothing is ignored."""

from typing import Any

import pytest

from fairway.serving import explained, reading
from fairway.serving.reading import Asked, Surroundings
from fairway.serving.runtimes import built_in
from fairway.serving.runtimes.selection import Runtimes
from fairway.serving.spec import defaults, fields
from fairway.serving.spec.refusals import NotSupported

AROUND = Surroundings(Runtimes(cluster=built_in.objects()))
OK = {"sklearn": {"storageUri": "/m"}}


def isvc(predictor: dict[str, Any], *, name: str = "m", annotations: dict[str, str] | None = None, **more: Any) -> Any:
    metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"predictor": predictor, **more}}


def model(**fields: Any) -> dict[str, Any]:
    return {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "/m", **fields}}


def read(given: Any) -> Asked:
    return reading.read(given, AROUND)


def test_both_ways_to_name_a_model_are_the_same() -> None:
    assert read(isvc(OK)) == read(isvc(model())) == read(isvc(model(runtime="kserve-sklearnserver")))
    assert read(isvc(model(storageUri="file:///m"))) == read(isvc(OK))


def test_what_is_explained_is_understood() -> None:
    parts = explained.SPEC["properties"]
    assert parts.keys() == fields.SERVICE
    assert parts["transformer"]["properties"].keys() <= fields.COMPONENT | fields.POD
    predictor = parts["predictor"]["properties"]
    own = {"model", "name", "workerSpec", "canaryTrafficPercent", *defaults.FRAMEWORKS}
    assert predictor.keys() <= fields.COMPONENT | fields.POD | own
    assert predictor["model"]["properties"].keys() <= fields.MODEL | fields.CONTAINER


@pytest.mark.parametrize(
    ("given", "reason", "says"),
    [
        (isvc({}), "InvalidPredictorSpec", "exactly one of model, a framework's block or containers, and it has none"),
        (isvc({**OK, **model()}), "InvalidPredictorSpec", "it has model and sklearn"),
        (isvc(model(modelFormat={"name": "onyx"})), "NoSupportingRuntime", "loads onyx models"),
        (isvc(model(modelFormat={"name": "sklearn", "version": "9"})), "NoSupportingRuntime", "version '9'"),
        (isvc(model(runtime="kserve-mine")), "RuntimeNotRecognized", "no runtime 'kserve-mine'"),
        (isvc(model(runtime="kserve-xgbserver")), "NoSupportingRuntime", "does not load sklearn; it loads xgboost"),
        (isvc(model(runtime="kserve-mlserver", protocolVersion="v1")), "NoSupportingRuntime", "it speaks v2"),
        (isvc(OK, transformer={"timeout": 3}), "InvalidPredictorSpec", "spec.transformer.containers is missing"),
        (
            isvc(OK, explainer={"art": {"type": "SquareAttack"}}),
            "InvalidPredictorSpec",
            "spec.explainer.art is not supported",
        ),
        (
            isvc(OK, transformer={"canaryTrafficPercent": 5, "containers": [{"image": "x"}]}),
            "InvalidPredictorSpec",
            "spec.transformer.canaryTrafficPercent",
        ),
        (
            isvc({**OK, "batcher": {"maxSize": 2}}),
            "InvalidPredictorSpec",
            "spec.predictor.batcher.maxSize is not known",
        ),
        (
            isvc({**OK, "logger": {"mode": "none", "url": "http://x"}}),
            "InvalidPredictorSpec",
            "all, request or response",
        ),
        (isvc({**OK, "logger": {"mode": "all"}}), "InvalidPredictorSpec", "logger.url is missing"),
        (isvc({**OK, "workerSpec": {"x": 1}}), "InvalidPredictorSpec", "needs a storageUri of pvc://"),
        (isvc({**OK, "workerSpec": {"pipelineParallelSize": 2}}), "InvalidPredictorSpec", "needs as many nodes"),
        (isvc(model(env=[{"name": "PYTHONPATH", "value": "/x"}])), "InvalidPredictorSpec", "PYTHONPATH may not be set"),
        (isvc({**OK, "autoScaling": {"metrics": [{"type": "External"}]}}), "InvalidPredictorSpec", "type External"),
        (isvc({**OK, "minReplicas": 0, "scaleMetric": "cpu"}), "InvalidPredictorSpec", "nobody would wake it"),
        (isvc({**OK, "scaleMetric": "qps"}), "InvalidPredictorSpec", "use concurrency, rps, cpu or memory"),
        (
            isvc({**OK, "scaleMetric": "memory", "scaleMetricType": "AverageValue"}),
            "InvalidPredictorSpec",
            "scaleMetricType AverageValue is not supported",
        ),
        (isvc({**OK, "minReplicas": 3, "maxReplicas": 2}), "InvalidPredictorSpec", "maxReplicas not below"),
        (isvc({**OK, "fieldOfTomorrow": 1}), "InvalidPredictorSpec", "spec.predictor.fieldOfTomorrow is not"),
        (isvc({"sklearn": {"storageUri": "pvc:///m"}}), "InvalidPredictorSpec", "names no claim"),
        (isvc({"sklearn": {"storageUri": "oci://r/m:1"}}), "InvalidPredictorSpec", "oci:// is not available"),
        (isvc({"sklearn": {"storageUri": "https://g/m.git"}}), "InvalidPredictorSpec", "git:// is not available"),
        (isvc({"sklearn": {"storageUri": "/m", "storage": {"key": "k"}}}), "InvalidPredictorSpec", "of s3:// only"),
        (isvc({"sklearn": {"storage": {"key": "k"}}}), "InvalidPredictorSpec", "storage.path is missing"),
        (isvc({**OK, "storageUris": [{"uri": "/n"}]}), "InvalidPredictorSpec", "cannot be set both"),
        (
            isvc({"sklearn": {}, "storageUris": [{"uri": "/n", "mountPath": "/a/../b"}]}),
            "InvalidPredictorSpec",
            "without '..'",
        ),
        (
            isvc({"sklearn": {}, "storageUris": [{"uri": "/n", "mountPath": "/a"}, {"uri": "/n", "mountPath": "/b"}]}),
            "InvalidPredictorSpec",
            "no folder in common",
        ),
        (isvc({"sklearn": {"storageUri": "models/m"}}), "InvalidPredictorSpec", "is a relative path"),
        (isvc({"sklearn": {"storageUri": "file://host/m"}}), "InvalidPredictorSpec", "names another machine"),
        (isvc(model(protocolVersion="v3")), "InvalidPredictorSpec", "protocolVersion 'v3'"),
        (isvc(model(protocolVersion="grpc-v2")), "NoSupportingRuntime", "protocolVersion to one of v1, v2"),
        (isvc(OK, name="M"), "InvalidPredictorSpec", "must start with a letter"),
        (isvc(OK, name="m" * 50), "InvalidPredictorSpec", "has 50 characters"),
        (isvc(OK, annotations={"serving.kserve.io/deploymentMode": "ModelMesh"}), "InvalidPredictorSpec", "Standard"),
        (
            isvc(OK, annotations={"serving.kserve.io/deploymentmode": "Standard"}),
            "InvalidPredictorSpec",
            "did you mean serving.kserve.io/deploymentMode?",
        ),
        (isvc(OK, annotations={"serving.kserve.io/server-type": "x"}), "InvalidPredictorSpec", "what serves"),
        (isvc(OK, annotations={"serving.kserve.io/autoscalerClass": "keda"}), "InvalidPredictorSpec", "keda is not"),
        (isvc(OK, annotations={"autoscaling.knative.dev/target": "0"}), "InvalidPredictorSpec", "at least 0.01"),
    ],
)
def test_refused_by_name(given: Any, reason: str, says: str) -> None:
    with pytest.raises(NotSupported) as refused:
        read(given)
    assert refused.value.reason == reason
    assert says in str(refused.value)


def test_a_mark_of_the_user_s_own_is_let_through() -> None:
    assert read(isvc(OK, annotations={"serving.kserve.io/customAnnotation": "mine"})).predictor


def test_all_refusals_are_said_at_once() -> None:
    with pytest.raises(NotSupported) as refused:
        read(isvc({"sklearn": {"storageUri": "oci://b/m"}, "minReplicas": -1, "logger": {"mode": "all"}}))
    assert all(word in str(refused.value) for word in ("oci://", "minReplicas", "logger"))
