"""Where a model is, and how the containers of its pod come to it: paths, claims, fetched ones, several at once."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.kernel.objects.kinds import Object
from fairway.serving import reading
from fairway.serving.pods.models import Storage
from fairway.serving.reading import Surroundings
from fairway.serving.runtimes import built_in
from fairway.serving.runtimes.selection import Runtimes
from fairway.serving.spec.refusals import NotSupported
from fairway.serving.storage.containers import Stores
from fairway.serving.storage.credentials import Keys
from fairway.serving.storage.kinds import CLUSTER_STORAGE_CONTAINER

MINE = [{"name": "kserve-container", "image": "mine", "env": [{"name": "STORAGE_URI", "value": "/models/m"}]}]


def pod(predictor: Any, *, stores: Stores | None = None, secrets: Any = None, annotations: Any = None) -> Object:
    isvc = {
        "metadata": {"name": "m", "namespace": "default", "annotations": annotations or {}},
        "spec": {"predictor": predictor},
    }
    storage = Storage(stores or Stores(), secrets or {})
    asked = reading.read(isvc, Surroundings(Runtimes(cluster=built_in.objects()), storage))
    return dict(asked.predictor.template["spec"])


def sklearn(uri: str = "", **more: Any) -> Any:
    return {"sklearn": {**({"storageUri": uri} if uri else {}), **more}}


def mounts(container: Object) -> dict[str, str]:
    return {one["mountPath"]: one["name"] for one in container.get("volumeMounts") or ()}


def test_our_own_server_reads_a_path_where_it_is_and_others_find_it_mounted() -> None:
    ours = pod(sklearn("file:///models/my%20iris"))
    assert "--model_dir=/models/my iris" in ours["containers"][0]["args"]
    assert "volumes" not in ours
    theirs = pod({"containers": MINE})
    assert theirs["volumes"] == [{"name": "kserve-provision-location", "hostPath": {"path": "/models/m"}}]
    assert mounts(theirs["containers"][0]) == {"/mnt/models": "kserve-provision-location"}
    (variable,) = (one for one in theirs["containers"][0]["env"] if one["name"] == "STORAGE_URI")
    assert variable["value"] == "/mnt/models"


def test_a_file_is_mounted_under_its_name_and_a_version_is_no_file() -> None:
    for path, target in (("/m/model.bst", "/mnt/models/model.bst"), ("/m/1.0", "/mnt/models")):
        container = {**MINE[0], "env": [{"name": "STORAGE_URI", "value": path}]}
        assert list(mounts(pod({"containers": [container]})["containers"][0])) == [target]


def test_a_mirror_makes_an_address_of_the_cloud_a_path_here() -> None:
    stores = Stores(mirrors=("gs://examples=/srv/examples",))
    args = pod(sklearn("gs://examples/sklearn/1.0/model"), stores=stores)["containers"][0]["args"]
    assert "--model_dir=/srv/examples/sklearn/1.0/model" in args


def test_a_claim_is_mounted_and_nothing_is_fetched() -> None:
    found = pod(sklearn("pvc://claim/iris/1"))
    assert found["volumes"] == [{"name": "kserve-pvc-source", "persistentVolumeClaim": {"claimName": "claim"}}]
    mount = {"name": "kserve-pvc-source", "mountPath": "/mnt/models", "readOnly": True, "subPath": "iris/1"}
    assert found["containers"][0]["volumeMounts"] == [mount]
    assert "initContainers" not in found
    assert "--model_dir=/mnt/models" in found["containers"][0]["args"]
    writable = pod(sklearn("pvc://claim/iris"), annotations={"storage.kserve.io/readonly": "false"})
    assert writable["containers"][0]["volumeMounts"][0]["readOnly"] is False


def test_what_is_elsewhere_is_fetched_with_the_secrets_of_the_account() -> None:
    s3 = Keys(
        "s3",
        frozenset(("awsAccessKeyID", "awsSecretAccessKey")),
        {"serving.kserve.io/s3-endpoint": "minio:9000", "serving.kserve.io/s3-usehttps": "0"},
    )
    found = pod({**sklearn("s3://b/m"), "serviceAccountName": "reader"}, secrets={"reader": (s3,)})
    (init,) = found["initContainers"]
    assert init["name"] == "storage-initializer"
    assert init["args"] == ["s3://b/m", "/mnt/models"]
    env = {one["name"]: one for one in init["env"]}
    assert env["AWS_SECRET_ACCESS_KEY"]["valueFrom"]["secretKeyRef"] == {"name": "s3", "key": "awsSecretAccessKey"}
    assert env["AWS_ENDPOINT_URL"]["value"] == "http://minio:9000"
    assert mounts(init) == mounts(found["containers"][0]) == {"/mnt/models": "kserve-provision-location"}
    assert not any("AWS" in one["name"] for one in found["containers"][0]["env"]), "the server gets no keys"


@pytest.mark.parametrize(
    ("keys", "variable"),
    [
        (Keys("g", frozenset(["gcloud-application-credentials.json"])), "GOOGLE_APPLICATION_CREDENTIALS"),
        (Keys("a", frozenset(["AZ_CLIENT_ID", "AZ_CLIENT_SECRET"])), "AZURE_CLIENT_ID"),
        (Keys("h", frozenset(["HF_TOKEN"])), "HF_TOKEN"),
        (Keys("w", frozenset(["https-host", "headers"]), host="models.example"), "models.example-headers"),
    ],
)
def test_each_kind_of_secret_is_told_by_its_keys(keys: Keys, variable: str) -> None:
    (init,) = pod(sklearn("gs://b/m"), secrets={"default": (keys,)})["initContainers"]
    assert variable in {one["name"] for one in init["env"]}


def test_the_storage_block_names_one_key_of_the_storage_secret() -> None:
    block = sklearn(storage={"key": "local", "path": "sklearn", "parameters": {"bucket": "b"}})
    (init,) = pod(block, stores=Stores(mirrors=("s3://b=/srv",)))["initContainers"]
    assert init["args"] == ["--mirror=s3://b=/srv", "storage-spec://sklearn", "/mnt/models"]
    config, overrides = init["env"]
    assert config["valueFrom"]["secretKeyRef"] == {"name": "storage-config", "key": "local"}
    assert overrides["value"] == '{"bucket": "b"}'
    other = pod(sklearn(storage={"path": "m"}), annotations={"serving.kserve.io/storageSecretName": "mine"})
    reference = other["initContainers"][0]["env"][0]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "mine", "key": "default", "optional": True}


def test_several_models_share_the_folder_above_them() -> None:
    several = [
        {"uri": "s3://b/base", "mountPath": "/mnt/models/base"},
        {"uri": "hf://o/adapter", "mountPath": "/mnt/models/adapters/one"},
        {"uri": "pvc://claim", "mountPath": "/mnt/models/extra"},
    ]
    found = pod({"storageUris": several, **sklearn()})
    (init,) = found["initContainers"]
    assert init["args"] == ["s3://b/base", "/mnt/models/base", "hf://o/adapter", "/mnt/models/adapters/one"]
    assert mounts(found["containers"][0]) == {
        "/mnt/models/extra": "mnt-models-extra",
        "/mnt/models": "kserve-provision-location",
    }


def test_a_hub_model_that_is_only_named_is_fetched() -> None:
    block = {"huggingface": {"args": ["--model_id=o/bert", "--model_revision", "v2"]}}
    assert pod(block)["initContainers"][0]["args"] == ["hf://o/bert:v2", "/mnt/models"]


def test_a_container_of_the_clusters_own_fetches_what_it_says_it_can() -> None:
    spec = {
        "container": {"name": "any", "image": "fetcher", "args": ["--fast"], "env": [{"name": "X", "value": "1"}]},
        "supportedUriFormats": [{"prefix": "registry://"}, {"regex": r"^s3://special-.*"}],
        "workloadType": "initContainer",
    }
    mine = CLUSTER_STORAGE_CONTAINER.new("mine", spec=spec)
    stores = Stores(containers=[mine])
    for uri in ("registry://m", "s3://special-b/m"):
        (init,) = pod(sklearn(uri), stores=stores)["initContainers"]
        assert (init["image"], init["args"]) == ("fetcher", ["--fast", uri, "/mnt/models"])
        assert {"name": "X", "value": "1"} in init["env"]
    assert pod(sklearn("s3://b/m"), stores=stores)["initContainers"][0]["command"][-1] == "fairway.serving.storage"
    with pytest.raises(NotSupported, match="does not fetch s3://b/m"):
        pod({**sklearn("s3://b/m"), "storageContainerName": "mine"}, stores=stores)
    off = {**mine, "disabled": True}
    with pytest.raises(NotSupported, match="registry:// is not available"):
        pod(sklearn("registry://m"), stores=Stores(containers=[off]))


def test_the_sidecar_stands_before_what_is_logged_and_has_no_secret_in_its_arguments() -> None:
    logger = {
        "url": "s3://logs",
        "mode": "request",
        "storage": {"path": "/x", "parameters": {"format": "csv"}, "key": "k"},
    }
    found = pod({**sklearn("/m"), "logger": logger, "batcher": {"maxBatchSize": 8, "maxLatency": 50}})
    server, agent = found["containers"]
    assert agent["name"] == "agent"
    assert {"--enable-batcher", "--max-batchsize=8", "--max-latency=50", "--component-port=8080"} <= set(agent["args"])
    assert {"--log-url=s3://logs", "--log-mode=request", "--log-store-format=csv"} <= set(agent["args"])
    assert "STORAGE_CONFIG" in {one["name"] for one in agent["env"]}
    assert server["readinessProbe"]["httpGet"]["port"] == 8080
    assert agent["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 9081}


def test_workers_of_one_node_are_told_to_the_server() -> None:
    part = {**sklearn("pvc://claim/m"), "workerSpec": {"tensorParallelSize": 2}}
    found = pod(part, annotations={"serving.kserve.io/autoscalerClass": "none"})
    env = {one["name"]: one.get("value") for one in found["containers"][0]["env"]}
    assert (env["PIPELINE_PARALLEL_SIZE"], env["TENSOR_PARALLEL_SIZE"]) == ("1", "2")


def test_who_asks_to_be_scraped_says_where() -> None:
    isvc = {
        "metadata": {
            "name": "m",
            "namespace": "default",
            "annotations": {"serving.kserve.io/enable-prometheus-scraping": "true"},
        },
        "spec": {"predictor": sklearn("/m", env=[])},
    }
    asked = reading.read(isvc, Surroundings(Runtimes(cluster=built_in.objects())))
    annotations = asked.predictor.template["metadata"]["annotations"]
    assert (annotations["prometheus.io/scrape"], annotations["prometheus.io/port"]) == ("true", "8080")


def test_the_older_annotations_of_scaling_mean_the_fields() -> None:
    annotations = {
        "serving.kserve.io/metrics": "cpu",
        "serving.kserve.io/targetUtilizationPercentage": "70",
        "serving.kserve.io/autoscalerClass": "hpa",
    }
    isvc = {
        "metadata": {"name": "m", "namespace": "default", "annotations": annotations},
        "spec": {"predictor": sklearn("/m")},
    }
    scaling = reading.read(isvc, Surroundings(Runtimes(cluster=built_in.objects()))).predictor.scaling
    assert (scaling.metric, scaling.target) == ("cpu", 70.0)
