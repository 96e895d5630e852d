"""Train several classifiers side by side, keep the best, and deploy it where it is good enough.

A plain pipeline for the Kubeflow Pipelines SDK; nothing in it knows about Fairway. Run it as a script
(`python examples/breast_cancer/pipeline.py`, which asks $KF_PIPELINES_ENDPOINT or http://127.0.0.1:8080), or let
`fairway run examples/breast_cancer/pipeline.py` submit the function `pipeline`.

The data are the 569 tumours of the Wisconsin breast cancer set, which comes with scikit-learn.
"""

import os
import sys
from typing import NamedTuple

from kfp import Client, dsl
from kfp.dsl import ClassificationMetrics, Dataset, Input, Metrics, Model, Output

IMAGE = "python:3.11"
PACKAGES = ["scikit-learn", "pandas"]

CANDIDATES = [
    {"kind": "logistic-regression", "settings": {"C": 0.1}},
    {"kind": "logistic-regression", "settings": {"C": 1.0}},
    {"kind": "random-forest", "settings": {"n_estimators": 60, "max_depth": 6}},
    {"kind": "gradient-boosting", "settings": {"n_estimators": 60, "learning_rate": 0.2}},
]


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def load_data(test_share: float, train: Output[Dataset], test: Output[Dataset], held_out: Output[Dataset]) -> int:
    """Split the data in three: to train on, to compare candidates on, and ten rows that no step looks at."""
    import json

    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    data = load_breast_cancer(as_frame=True)
    rest, kept = train_test_split(data.frame, test_size=10, stratify=data.target, random_state=1)
    training, testing = train_test_split(rest, test_size=test_share, stratify=rest["target"], random_state=2)
    training.to_csv(train.path, index=False)
    testing.to_csv(test.path, index=False)
    content = {
        "columns": list(data.feature_names),
        "classes": [str(name) for name in data.target_names],
        "rows": kept[data.feature_names].values.tolist(),
        "truth": [int(label) for label in kept["target"]],
    }
    with open(held_out.path, "w") as file:
        json.dump(content, file)
    for split, rows in ((train, len(training)), (test, len(testing)), (held_out, len(kept))):
        split.metadata["rows"] = rows
    return len(training)


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def train_model(candidate: dict, train: Input[Dataset], model: Output[Model]):
    """Fit one candidate and save it as a folder with model.joblib, which is what a model server takes."""
    import os

    import joblib
    import pandas as pd
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    makers = {
        "logistic-regression": lambda **settings: LogisticRegression(max_iter=1000, **settings),
        "random-forest": lambda **settings: RandomForestClassifier(random_state=0, **settings),
        "gradient-boosting": lambda **settings: GradientBoostingClassifier(random_state=0, **settings),
    }
    data = pd.read_csv(train.path)
    features, target = data.drop(columns="target").to_numpy(), data["target"].to_numpy()
    fitted = make_pipeline(StandardScaler(), makers[candidate["kind"]](**candidate["settings"])).fit(features, target)
    os.makedirs(model.path)
    joblib.dump(fitted, f"{model.path}/model.joblib")
    model.metadata.update(kind=candidate["kind"], settings=candidate["settings"])
    print(f"trained {candidate['kind']} {candidate['settings']} on {len(data)} rows")


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def evaluate_model(
    test: Input[Dataset], model: Input[Model], metrics: Output[Metrics], curves: Output[ClassificationMetrics]
) -> float:
    """Judge a model on rows it was not trained on. The area under the ROC curve is what candidates compete by."""
    import joblib
    import pandas as pd
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, roc_auc_score, roc_curve

    data = pd.read_csv(test.path)
    features, truth = data.drop(columns="target").to_numpy(), data["target"].to_numpy()
    fitted = joblib.load(f"{model.path}/model.joblib")
    predicted, probability = fitted.predict(features), fitted.predict_proba(features)[:, 1]
    area = float(roc_auc_score(truth, probability))
    metrics.metadata["candidate"] = model.metadata.get("kind")
    metrics.log_metric("accuracy", float(accuracy_score(truth, predicted)))
    metrics.log_metric("f1", float(f1_score(truth, predicted)))
    metrics.log_metric("roc_auc", area)
    curves.log_confusion_matrix(["malignant", "benign"], confusion_matrix(truth, predicted).tolist())
    false_rate, true_rate, thresholds = roc_curve(truth, probability)
    curves.log_roc_curve(false_rate.tolist(), true_rate.tolist(), thresholds.clip(max=1.0).tolist())
    print(f"{model.metadata.get('kind')}: area under the ROC curve {area:.4f}")
    return area


@dsl.component(base_image=IMAGE)
def pick_best(scores: list, models: Input[list[Model]], best: Output[Model]) -> NamedTuple(
    "Best", [("kind", str), ("score", float)]
):  # type: ignore[valid-type]
    """Copy the winner to an artifact of its own, so that what is deployed does not depend on the others."""
    import shutil
    from collections import namedtuple

    place = max(range(len(scores)), key=lambda number: scores[number])
    winner = models[place]
    shutil.copytree(winner.path, best.path)
    best.metadata.update(winner.metadata, roc_auc=scores[place])
    for number, model in enumerate(models):
        print(f"{'*' if number == place else ' '} {model.metadata.get('kind'):20} {scores[number]:.4f}")
    return namedtuple("Best", ["kind", "score"])(str(winner.metadata.get("kind")), float(scores[place]))


@dsl.component(base_image=IMAGE, packages_to_install=["kubernetes"])
def deploy_model(name: str, model: Input[Model]) -> str:
    """Serve the model: create the InferenceService, or point it at the new model, and wait until that one answers."""
    import time

    from kubernetes import client, config
    from kubernetes.config.kube_config import list_kube_config_contexts

    config.load_config()
    try:
        namespace = list_kube_config_contexts()[1]["context"].get("namespace") or "default"
    except config.ConfigException:  # in a cluster, the pod's own namespace
        with open("/var/run/secrets/kubernetes.io/serviceaccount/namespace") as file:
            namespace = file.read()
    address = model.uri if "://" in model.uri else f"file://{model.uri}"
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": address}}},
    }
    objects = client.CustomObjectsApi()
    where = ("serving.kserve.io", "v1beta1", namespace, "inferenceservices")
    try:
        made = objects.create_namespaced_custom_object(*where, service)
    except client.ApiException as error:
        if error.status != 409:
            raise
        made = objects.patch_namespaced_custom_object(*where, name, {"spec": service["spec"]})
    generation, end = made["metadata"].get("generation", 1), time.monotonic() + 90
    while time.monotonic() < end:
        status = objects.get_namespaced_custom_object(*where, name).get("status", {})
        ready = {each["type"]: each for each in status.get("conditions", [])}.get("Ready", {})
        # Ready alone may tell of the model before, which answers until this one does.
        model = status.get("modelStatus", {}) if status.get("observedGeneration", 0) >= generation else {}
        if model.get("transitionStatus") == "UpToDate" and ready.get("status") == "True":
            print(f"{name} answers at {status['address']['url']}")
            return status["address"]["url"]
        if model.get("transitionStatus") in ("BlockedByFailedLoad", "InvalidSpec"):
            raise RuntimeError(f"{name} cannot be served: {model['lastFailureInfo']['message']}")
        time.sleep(0.1)
    raise TimeoutError(f"{name} is not ready: {ready.get('message', 'no condition yet')}")


@dsl.pipeline(name="breast-cancer", display_name="Breast cancer: train, compare, deploy")
def pipeline(test_share: float = 0.2, good_enough: float = 0.95, service_name: str = "breast-cancer"):
    data = load_data(test_share=test_share)
    with dsl.ParallelFor(CANDIDATES, name="candidates") as candidate:
        trained = train_model(candidate=candidate, train=data.outputs["train"])
        judged = evaluate_model(test=data.outputs["test"], model=trained.outputs["model"])
    best = pick_best(
        scores=dsl.Collected(judged.outputs["Output"]),
        models=dsl.Collected(trained.outputs["model"]),
    )
    with dsl.If(best.outputs["score"] >= good_enough, name="good enough"):
        deploy_model(name=service_name, model=best.outputs["best"]).set_caching_options(False)


def main() -> int:
    client = Client(host=os.environ.get("KF_PIPELINES_ENDPOINT", "http://127.0.0.1:8080"))
    run = client.create_run_from_pipeline_func(pipeline, experiment_name="examples")
    state = client.wait_for_run_completion(run.run_id, timeout=300, sleep_duration=1).state
    print(f"run {run.run_id}: {state}")
    return 0 if state == "SUCCEEDED" else 1


if __name__ == "__main__":
    sys.exit(main())
