"""Whatever a client sends, it gets an answer soon, and where that is a refusal, a Status that says why.

The requests are made from a seed: objects of every sort with parts of them replaced, dropped and added, in every
format, to paths and with queries that are right, nearly right and wrong. `FAIRWAY_FUZZ_REQUESTS` makes more of them.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import logging
import os
import random
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.objects.kinds import CONFIG_MAP, Object
from tests.cluster.api.world import WIDGET, World, define, pod

REQUESTS = int(os.environ.get("FAIRWAY_FUZZ_REQUESTS", "800"))
AT_ONCE = 8
LONGEST = 20.0  # seconds, on a machine that does much else
RECORDED = json.loads(Path(__file__).with_name("kubectl_bodies.json").read_text())
PROTOBUF = [base64.b64decode(each["body"]) for each in RECORDED]

TEMPLATE: Object = {"metadata": {"labels": {"a": "b"}}, "spec": pod("p")["spec"]}
OBJECTS: dict[str, Object] = {
    "/api/v1/namespaces/default/pods": pod("p"),
    "/api/v1/namespaces/default/configmaps": {"kind": "ConfigMap", "data": {"a": "b"}, "binaryData": {"c": "ZA=="}},
    "/api/v1/namespaces/default/secrets": {"kind": "Secret", "stringData": {"a": "b"}, "type": "Opaque"},
    "/api/v1/namespaces/default/services": {"spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}},
    "/api/v1/namespaces/default/events": {"involvedObject": {"kind": "Pod", "name": "p"}, "reason": "R"},
    "/api/v1/namespaces": {"metadata": {"name": "n"}},
    "/api/v1/nodes": {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}},
    "/apis/apps/v1/namespaces/default/deployments": {
        "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
    },
    "/apis/apps/v1/namespaces/default/statefulsets": {
        "spec": {"serviceName": "s", "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
    },
    "/apis/batch/v1/namespaces/default/jobs": {
        "spec": {"completions": 3, "template": {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}}
    },
    "/apis/batch/v1/namespaces/default/cronjobs": {
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}}
    },
    "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers": {
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "minReplicas": 1, "maxReplicas": 2}
    },
    "/apis/coordination.k8s.io/v1/namespaces/default/leases": {"spec": {"holderIdentity": "h"}},
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": WIDGET.definition(),
    WIDGET.kind.path("default"): {"spec": {"size": 3}},
    "/api/v1/namespaces/default/resourcequotas": {
        "spec": {"hard": {"pods": "10", "requests.cpu": "1"}, "scopeSelector": {"matchExpressions": []}}
    },
    "/api/v1/namespaces/default/limitranges": {
        "spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "default": {"cpu": "1"}}]}
    },
    "/api/v1/namespaces/default/replicationcontrollers": {
        "spec": {"replicas": 2, "selector": {"a": "b"}, "template": TEMPLATE}
    },
    "/api/v1/namespaces/default/persistentvolumeclaims": {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    },
    "/apis/scheduling.k8s.io/v1/priorityclasses": {"value": 10, "globalDefault": False},
    "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles": {
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    },
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings": {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"}],
    },
    "/apis/networking.k8s.io/v1/namespaces/default/ingresses": {
        "spec": {"rules": [{"host": "a.b", "http": {"paths": [{"path": "/", "pathType": "Prefix"}]}}]}
    },
    "/apis/jobset.x-k8s.io/v1alpha2/namespaces/default/jobsets": {
        "spec": {"replicatedJobs": [{"name": "r", "replicas": 1, "template": {"spec": {"template": TEMPLATE}}}]}
    },
    "/apis/authorization.k8s.io/v1/subjectaccessreviews": {
        "spec": {"user": "u", "groups": ["g"], "resourceAttributes": {"verb": "get", "resource": "pods"}}
    },
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews": {"spec": {"namespace": "default"}},
    "/apis/authentication.k8s.io/v1/tokenreviews": {"spec": {"token": "t", "audiences": ["a"]}},
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": {"spec": {"resourceAttributes": {"verb": "get"}}},
}
ODD: list[Any] = [
    None, True, 0, -1, 2**31, 2**63, 2**70, 1.5, 1e300, "", "a", "\0", "x" * 300, "\u2028", "../..", "%s", "1Gi", "-5",
    [], [None], [[[]]], [{}], {}, {"": ""}, {"a": {"a": None}}, {"name": "a"}, "2026-11-26T00:00:00Z", "{{x}}", "$(a)",
]  # fmt: skip
METHODS = (*["POST"] * 12, *["PUT"] * 6, *["PATCH"] * 12, *["GET"] * 4, "DELETE", "OPTIONS", "TRACE")
PATCHES = ("application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json")
APPLY = "application/apply-patch+yaml"
WHOLE = (*["application/json"] * 5, "", "application/yaml", "application/vnd.kubernetes.protobuf")
MEDIA = (*PATCHES, APPLY, *WHOLE, "text/plain", "application/json;charset=latin-1", ";;;")
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
QUERIES = {
    "fieldValidation": ("Strict", "Warn", "Ignore", "strict", ""),
    "dryRun": ("All", "None", ""),
    "limit": ("1", "0", "-1", "x", str(2**70)),
    "continue": ("x", "eyJ2IjoxfQ", "bnVsbA==", ""),
    "resourceVersion": ("0", "1", "-1", "x", str(2**70)),
    "resourceVersionMatch": ("Exact", "NotOlderThan", "x"),
    "labelSelector": ("a=b", "a in (b,c)", "!a", "a in (", ",,", "a notin ()", "=", "a==b,"),
    "fieldSelector": ("metadata.name=p", "metadata.name=p,", "spec.nothing=1", "==", "a", "metadata.name!=%"),
    "fieldManager": ("f", "x" * 200, "\0"),
    "force": ("true", "maybe"),
    "propagationPolicy": ("Orphan", "Nothing"),
    "gracePeriodSeconds": ("0", "-1", "x"),
    "pretty": ("true",),
    "unknown": ("1",),
}
ACCEPTED = (*["application/json"] * 12, "*/*", "", "text/html", "application/yaml", TABLE, METADATA, "a/b;c=d;;")


NAMES = (
    "/n",
    "/widgets",
    "/%2e%2e",
    "/%00",
    "/" + "x" * 300,
    "/p/status",
    "/q/status",
    "/p/scale",
    "/p/log",
    "/p/token",
)


class Requests:
    """An endless row of requests, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def __iter__(self) -> Iterator[tuple[str, str, dict[str, str], bytes | None]]:
        while True:
            method, (path, example) = self._random.choice(METHODS), self._random.choice(list(OBJECTS.items()))
            fitting = (*PATCHES, APPLY) if method == "PATCH" else WHOLE
            media = self._random.choice(fitting if self._random.random() < 0.95 else MEDIA)
            headers = {"Content-Type": media, "Accept": self._random.choice(ACCEPTED)}
            yield method, self._path(path, method) + self._query(), headers, self._body(media, example)

    def _path(self, path: str, method: str) -> str:
        if method != "POST" or self._random.random() < 0.03:
            often = self._random.random() < 0.8
            path += "/" + self._random.choice("pqrs") if often else self._random.choice(NAMES)
        if self._random.random() < 0.1:
            parts = path.split("/")
            parts[self._random.randrange(1, len(parts))] = self._random.choice(("", "..", "v9", "%ff", "apis", "*"))
            path = "/".join(parts)
        return path

    def _query(self) -> str:
        names = self._random.sample(list(QUERIES), self._random.randrange(3))
        query = {name: self._random.choice(QUERIES[name]) for name in names}
        return "?" + urllib.parse.urlencode(query) if query else ""

    def _body(self, media: str, example: Object) -> bytes | None:
        if self._random.random() < 0.05:
            return None
        if "protobuf" in media:
            return self._bytes(self._random.choice(PROTOBUF))
        value: Any = orjson.loads(orjson.dumps({"metadata": {"name": self._random.choice("pqrs")}, **example}))
        for _ in range(self._random.choice((0, 1, 1, 2, 5))):
            self._spoil(value)
        if media == "application/json-patch+json":
            value = self._operations(value)
        text = json.dumps(value).encode()
        if "yaml" in media and self._random.random() < 0.5:
            text = yaml.safe_dump(value).encode()
        return self._bytes(text) if self._random.random() < 0.15 else text

    def _spoil(self, value: Any) -> None:
        """Replace, drop or add something somewhere inside."""
        while True:
            keys = list(value) if isinstance(value, dict) else list(range(len(value)))
            key = self._random.choice(keys) if keys else "a"
            inner = value[key] if keys else None
            if not isinstance(inner, dict | list) or not inner or self._random.random() < 0.3:
                break
            value = inner
        if isinstance(value, list):
            value.insert(0, self._odd())
        elif self._random.random() < 0.2:
            value.pop(key, None)
        else:
            value[self._random.choice((key, key, "unknown", "$patch", ""))] = self._odd()

    def _odd(self) -> Any:
        return copy.deepcopy(self._random.choice(ODD))

    def _operations(self, value: Object) -> Any:
        paths = ["/metadata/labels", "/spec/replicas", "/spec/-", "", "/", "spec", "/~2", "/metadata/name/0", "/data/a"]
        names = ("add", "remove", "replace", "move", "copy", "test", "nothing")
        return [
            {
                "op": self._random.choice(names),
                "path": self._random.choice(paths),
                "from": self._random.choice(paths),
                "value": self._random.choice([*ODD, value]),
            }
            for _ in range(self._random.randrange(4))
        ]

    def _bytes(self, data: bytes) -> bytes:
        """With a few bytes changed, dropped or repeated."""
        changed = bytearray(data)
        for _ in range(self._random.randrange(4)):
            at = self._random.randrange(len(changed) + 1)
            changed[at : at + self._random.randrange(3)] = self._random.randbytes(self._random.randrange(3))
        return bytes(changed)


@pytest.mark.slow
async def test_every_request_is_answered_and_every_refusal_says_why(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    admin = Client(HTTPTransport(world.url, token=world.token(), tls=world.tls))
    await define(admin)
    waiting = iter(Requests(seed=20261126))
    left = iter(range(REQUESTS))

    async def client() -> None:
        for _ in left:
            method, path, headers, data = next(waiting)
            async with asyncio.timeout(LONGEST):
                code, _, body = await world.raw(method, path, headers=headers, data=data)
            assert code < 500 or code == 501, (code, method, path, headers, data, body)
            if code >= 400:
                status = orjson.loads(body)
                told = status["kind"], status["code"], bool(status["reason"]), bool(status["message"])
                assert told == ("Status", code, True, True), (method, path, headers, data, body)

    with caplog.at_level(logging.ERROR):
        await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    assert not caplog.records
    made = await admin.create(CONFIG_MAP, CONFIG_MAP.new("after-all", "kube-public", data={"still": "here"}))
    assert made["data"] == {"still": "here"}
    await admin.close()
