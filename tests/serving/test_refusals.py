"""What is not supported is refused by name, with what to do, and nothing is ignored."""

from typing import Any

import pytest

from fairway.serving import spec

OK = {"sklearn": {"storageUri": "/m"}}


def isvc(predictor: dict[str, Any], *, name: str = "m", annotations: dict[str, str] | None = None, **more: Any) -> Any:
    metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"predictor": predictor, **more}}


def model(**fields: Any) -> dict[str, Any]:
    return {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "/m", **fields}}


def test_both_ways_to_name_a_model_are_the_same() -> None:
    assert spec.read(isvc(OK)) == spec.read(isvc(model())) == spec.read(isvc(model(runtime="kserve-sklearnserver")))
    assert spec.read(isvc(model(storageUri="file:///m"))) == spec.read(isvc(OK))


@pytest.mark.parametrize(
    ("given", "reason", "says"),
    [
        (isvc({}), "InvalidPredictorSpec", "exactly one of model or sklearn, and it has none"),
        (isvc({**OK, **model()}), "InvalidPredictorSpec", "it has model and sklearn"),
        (isvc({"xgboost": {"storageUri": "/m"}}), "NoSupportingRuntime", "loads xgboost models"),
        (isvc(model(modelFormat={"name": "onnx"})), "NoSupportingRuntime", "loads onnx models"),
        (isvc(model(modelFormat={"name": "sklearn", "version": "9"})), "NoSupportingRuntime", "version '9'"),
        (isvc(model(runtime="kserve-mlserver")), "RuntimeNotRecognized", "no runtime 'kserve-mlserver'"),
        (isvc({"containers": [{"image": "x"}]}), "InvalidPredictorSpec", "spec.predictor.containers is not"),
        (isvc(OK, transformer={"containers": []}), "InvalidPredictorSpec", "spec.transformer is not supported"),
        (isvc(OK, explainer={"art": {}}), "InvalidPredictorSpec", "spec.explainer is not supported"),
        (isvc(OK, canary=[{"trafficPercent": 10}]), "InvalidPredictorSpec", "spec.canary is not supported"),
        (isvc({**OK, "canaryTrafficPercent": 0}), "InvalidPredictorSpec", "spec.predictor.canaryTrafficPercent"),
        (isvc({**OK, "batcher": {"maxBatchSize": 2}}), "InvalidPredictorSpec", "several rows in one request"),
        (isvc({**OK, "autoScaling": {"metrics": [{}]}}), "InvalidPredictorSpec", "spec.predictor.autoScaling"),
        (isvc({**OK, "workerSpec": {"x": 1}}), "InvalidPredictorSpec", "spec.predictor.workerSpec"),
        (isvc({**OK, "minReplicas": 0}), "InvalidPredictorSpec", "scaling to zero is not available; set it to 1"),
        (isvc({**OK, "minReplicas": 3, "maxReplicas": 2}), "InvalidPredictorSpec", "maxReplicas not below"),
        (isvc({**OK, "fieldOfTomorrow": 1}), "InvalidPredictorSpec", "spec.predictor.fieldOfTomorrow is not"),
        (isvc({"sklearn": {"storageUri": "pvc://claim/m"}}), "InvalidPredictorSpec", "pvc:// is not available"),
        (isvc({"sklearn": {"storageUri": "s3://b/m"}}), "InvalidPredictorSpec", "s3:// is not available"),
        (isvc({"sklearn": {"storageUri": "models/m"}}), "InvalidPredictorSpec", "is a relative path"),
        (isvc({"sklearn": {"storageUri": "file://host/m"}}), "InvalidPredictorSpec", "names another machine"),
        (isvc({"sklearn": {}}), "InvalidPredictorSpec", "storageUri is missing"),
        (isvc(model(protocolVersion="grpc-v2")), "InvalidPredictorSpec", "protocolVersion 'grpc-v2'"),
        (isvc(model(image="mine")), "InvalidPredictorSpec", "spec.predictor.model.image is not supported"),
        (isvc(OK, name="M"), "InvalidPredictorSpec", "must start with a letter"),
        (isvc(OK, name="m" * 50), "InvalidPredictorSpec", "has 50 characters"),
        (isvc(OK, annotations={"serving.kserve.io/deploymentMode": "Serverless"}), "InvalidPredictorSpec", "Standard"),
        (isvc(OK, annotations={"autoscaling.knative.dev/target": "1"}), "InvalidPredictorSpec", "remove it"),
    ],
)
def test_refused_by_name(given: Any, reason: str, says: str) -> None:
    with pytest.raises(spec.NotSupported) as refused:
        spec.read(given)
    assert refused.value.reason == reason
    assert says in str(refused.value)


def test_all_refusals_are_said_at_once() -> None:
    with pytest.raises(spec.NotSupported) as refused:
        spec.read(isvc({"sklearn": {"storageUri": "s3://b/m"}, "minReplicas": 0, "logger": {"mode": "all"}}))
    assert all(word in str(refused.value) for word in ("s3://", "minReplicas", "logger"))
