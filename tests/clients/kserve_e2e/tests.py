"""Which of upstream's tests are judged, and what those need that no machine of ours has.

Names are the beginnings of pytest's node ids, below `test/e2e`. What is in neither table is not of predictive serving
(LLM services across nodes, the Helm chart) and is counted on its own line.
"""

from __future__ import annotations

JUDGED: tuple[str, ...] = (
    "batcher/",
    "credentials/",
    "graph/",
    "logger/test_logger.py",
    "logger/test_raw_logger.py",
    "modelcache/test_localmodelcache_sklearn.py",
    "modelcache/test_localmodelnamespacecache.py",
    "predictor/test_autoscaling.py",
    "predictor/test_canary_raw_deployment.py",
    "predictor/test_grpc.py::test_sklearn_dual_protocol",
    "predictor/test_lightgbm.py",
    "predictor/test_multi_model_serving.py",
    "predictor/test_pod_watch.py",
    "predictor/test_predictive.py",
    "predictor/test_raw_deployment.py::test_raw_deployment",
    "predictor/test_sklearn.py",
    "predictor/test_xgboost.py",
    "qpext/",
)

BEYOND: dict[str, str] = {
    "custom/": "images of upstream's examples, with Ray and torch",
    "explainer/": "the image of the ART explainer",
    "logger/test_marshaller.py": "an S3 server in the cluster, by its in-cluster name",
    "modelcache/": "a model from the hub",
    "predictor/test_autogluon": "AutoGluon and its models",
    "predictor/test_canary.py": "TensorFlow's flowers model",
    "predictor/test_grpc.py::test_custom_model_grpc": "an image with torch and a trained network",
    "predictor/test_huggingface": "models from the hub",
    "predictor/test_mlflow.py": "a model from a public bucket",
    "predictor/test_modelscope.py": "a model from ModelScope",
    "predictor/test_paddle.py": "PaddlePaddle and its model",
    "predictor/test_pmml.py": "a model from a public bucket",
    "predictor/test_raw_deployment.py::test_isvc": "an image with torch and a trained network",
    "predictor/test_response_headers.py": "an image of upstream's examples",
    "predictor/test_tensorflow.py": "TensorFlow's flowers model",
    "predictor/test_torchserve.py": "TorchServe and its archives",
    "predictor/test_triton.py": "Triton's image and models",
    "predictor/test_vllm.py": "vLLM and models from the hub",
    "storage/": "a registry of OCI images",
    "storagespec/": "an S3 server in the cluster, by its in-cluster name",
    "transformer/": "the image of the transformer example, with torch",
}

# What one judged test meets here, in a line: said in the table beside what it did.
KNOWN: dict[str, str] = {
    "logger/test_raw_logger.py::test_kserve_logger_cipn": "is of an installation whose Services are all headless "
    "(serviceClusterIPNone), which upstream runs apart; here they have addresses",
    "modelcache/": "asks for the nodes minikube-m02 and minikube-m03, and a folder of theirs",
    "predictor/test_autoscaling.py::test_scaling_sklearn_with_keda": "KEDA, refused by name",
    "predictor/test_autoscaling.py::test_sklearn_keda": "KEDA, refused by name",
    "predictor/test_autoscaling.py::test_sklearn_kserve_cpu": "upstream skips it",
    "predictor/test_autoscaling.py::test_sklearn_kserve": "reads the object of Knative's that stands behind a "
    "component; here is none, refused by name",
    "predictor/test_sklearn.py::test_sklearn_runtime": "counts the processes that multiprocessing spawned, by their "
    "command line; the model server's two are forked",
}

# What nothing may run beside: it asks for as many CPUs as a small machine has, or writes the same objects as another.
ALONE: tuple[str, ...] = ("credentials/", "predictor/test_sklearn.py::test_sklearn_runtime_kserve")


def judged(test: str) -> bool:
    return test.startswith(JUDGED)


def alone(test: str) -> bool:
    return test.startswith(ALONE)


def needs(test: str) -> str:
    return next((why for name, why in BEYOND.items() if test.startswith(name)), "")


def why(test: str) -> str:
    return next((line for name, line in KNOWN.items() if test.startswith(name)), "")
