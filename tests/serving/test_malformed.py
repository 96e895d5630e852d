"""What is malformed: refused by the schema, or by name; whatever passes both is read, and never a failure of ours."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from fairway.kernel.objects.errors import BadRequest
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.schemas import Schema
from fairway.serving import kinds
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.llm import kinds as llm
from fairway.serving.llm import reading, render
from fairway.serving.llm.kinds import LLM_CONFIG, LLM_SERVICE
from fairway.serving.pods import models
from fairway.serving.pods.models import Storage
from fairway.serving.reading import Surroundings
from fairway.serving.render.place import Place
from fairway.serving.rollout import planning, rendering
from fairway.serving.runtimes import built_in
from fairway.serving.runtimes import kinds as runtimes
from fairway.serving.runtimes.kinds import SERVING_RUNTIME
from fairway.serving.runtimes.selection import Runtimes
from fairway.serving.spec.refusals import NotSupported
from fairway.serving.status.seen import Seen
from fairway.serving.storage.containers import Stores
from fairway.serving.storage.kinds import CLUSTER_STORAGE_CONTAINER

Path = tuple[Any, ...]

ODD: tuple[Any, ...] = (None, "[x", 7, True, [], {}, [7], [{}], {"x": "y"})
GONE = object()
CONTAINER: Object = {
    "name": "kserve-container",
    "image": "x",
    "env": [{"name": "A", "value": "b"}],
    "args": ["--a", "b"],
    "ports": [{"containerPort": 1, "name": "http"}],
    "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
}
MODEL: Object = {
    "modelFormat": {"name": "sklearn"},
    "storageUri": "s3://b/x",
    "storage": {"key": "k", "parameters": {"type": "s3"}},
    "env": [{"name": "A", "value": "b"}],
    "args": ["x"],
    "ports": [{"containerPort": 8080, "name": "http"}],
    "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
}
LOGGER: Object = {
    "url": "http://x",
    "metadataHeaders": ["a"],
    "metadataAnnotations": ["b"],
    "storage": {"path": "p", "parameters": {"format": "json"}, "key": "k", "serviceAccountName": "s"},
}
METRIC: Object = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}}
SPECS: tuple[Object, ...] = (
    {"predictor": {"model": MODEL, "logger": LOGGER, "batcher": {"maxBatchSize": 2}, "containerConcurrency": 1}},
    {"predictor": {"model": {}, "maxReplicas": 2, "autoScaling": {"metrics": [METRIC], "behavior": {}}}},
    {"predictor": {"model": MODEL, "minReplicas": 0, "scaleMetric": "rps", "scaleTarget": 3, "timeout": 3}},
    {"predictor": {"model": MODEL, "volumes": [{"name": "v"}], "initContainers": [CONTAINER], "labels": {"a": "b"}}},
    {"predictor": {"model": MODEL, "nodeSelector": {"a": "b"}, "tolerations": [{}], "containers": [CONTAINER]}},
    {"predictor": {"model": MODEL, "workerSpec": {"pipelineParallelSize": 1, "containers": []}}},
    {"predictor": {"containers": [CONTAINER], "storageUris": [{"uri": "s3://x/y", "mountPath": "/mnt/models/a"}]}},
    {"predictor": {"model": MODEL}, **{part: {"containers": [CONTAINER]} for part in ("transformer", "explainer")}},
    {
        "predictor": {"model": MODEL},
        "canary": [{"predictor": {"name": "c", "model": MODEL, "minReplicas": 1}, "trafficPercent": 10}],
    },
)


@pytest.mark.parametrize("spec", SPECS)
def test_a_service_with_one_odd_value_is_refused_or_read(spec: Object) -> None:
    schema = Schema(kinds.KIND.schema["spec"])
    assert not schema.check(spec)
    read(spec)
    passed = [odd for odd in _odd(spec) if not schema.check(odd)]
    assert len(passed) > 10
    for odd in passed:
        read(odd)


def test_a_runtime_with_one_odd_value_is_refused_or_read() -> None:
    runtime = copy.deepcopy(built_in.objects()[0]["spec"])
    runtime |= {"volumes": [{"name": "v"}], "nodeSelector": {"a": "b"}, "labels": {"a": "b"}, "tolerations": []}
    spec = {"predictor": {"model": {**MODEL, "runtime": "mine"}, "volumes": [{"name": "w"}]}}
    schema = Schema(runtimes.KINDS[0].schema["spec"])
    assert not schema.check(runtime)
    for odd in (runtime, *_odd(runtime)):
        if not schema.check(odd):
            read(spec, SERVING_RUNTIME.new("mine", "default", spec=odd))


def test_a_language_model_with_one_odd_value_is_refused_or_read() -> None:
    main = {"name": "main", "env": [{"name": "A", "value": "b"}], "resources": {"limits": {"cpu": "1"}}}
    template = {"containers": [main], "nodeSelector": {"a": "b"}}
    spec = {
        "model": {"uri": "hf://a/b", "name": "m"},
        "template": template,
        "baseRefs": [{"name": "c"}],
        "router": {"route": {}, "gateway": {}, "scheduler": {}},
        "parallelism": {"tensor": 1},
        "labels": {"a": "b"},
    }
    service, config = (Schema(kind.schema["spec"]) for kind in llm.KINDS)
    below: Object = {"model": {"name": "z"}, "template": template}
    pairs = [(odd, below) for odd in _odd(spec) if not service.check(odd)]
    pairs += [(spec, odd) for odd in _odd(below) if not config.check(odd)]
    for over, under in pairs:
        asked = LLM_SERVICE.new("l", "default", spec=over)
        with suppress(NotSupported):
            render.service(asked, reading.read(asked, {"c": LLM_CONFIG.new("c", "default", spec=under)}))


def test_a_pattern_that_cannot_be_read_takes_no_address_and_keeps_no_service_from_its_model() -> None:
    container = {"container": {"image": "x"}, "supportedUriFormats": [{"regex": "s3://["}, {"regex": "a{4294967296}"}]}
    broken = CLUSTER_STORAGE_CONTAINER.new("broken", spec=container)
    isvc = INFERENCE_SERVICE.new("iris", "default", spec={"predictor": {"model": MODEL}})
    around = Surroundings(Runtimes(cluster=built_in.objects()), Storage(Stores(containers=[broken])))
    made = planning.plan(isvc, around, {}, 0.0).asked.predictor.template["spec"]
    assert made["initContainers"][0]["image"].startswith("fairway/")


def read(spec: Object, *own: Object) -> None:
    """As the controller does it; it tells of these two, and of nothing else."""
    isvc = INFERENCE_SERVICE.new("iris", "default", spec=spec)
    list(models.uris_of(isvc))  # other controllers read these of all services
    models.accounts(isvc, Stores())
    with suppress(NotSupported, BadRequest):
        plan = planning.plan(isvc, Surroundings(Runtimes(own, built_in.objects())), {}, 0.0)
        rendering.children(isvc, plan, Place("example.com", "http://127.0.0.1:8080"), Seen({}), ())


def _odd(whole: Object) -> Iterator[Object]:
    """Copies with one value in the place of another, or without it."""
    for path in _paths(whole):
        for value in (*ODD, GONE):
            made = copy.deepcopy(whole)
            holder = made
            for step in path[:-1]:
                holder = holder[step]
            if value is GONE:
                del holder[path[-1]]
            else:
                holder[path[-1]] = value
            yield made


def _paths(part: Any, at: Path = ()) -> Iterator[Path]:
    for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        yield (*at, key)
        yield from _paths(value, (*at, key))
