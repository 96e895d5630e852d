"""The requests: scenes of a few each, in a namespace of their own, whose answers somebody may doubt.

A scene's requests run in order. `NS` in a path or a body is the scene's namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CORE, APPS, BATCH = "/api/v1/namespaces/NS", "/apis/apps/v1/namespaces/NS", "/apis/batch/v1/namespaces/NS"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
JSON_PATCH, APPLY = "application/json-patch+json", "application/apply-patch+yaml"


@dataclass(frozen=True)
class Ask:
    method: str
    path: str
    body: Any = None
    media: str = "application/json"
    accept: str = "application/json"


_ACCOUNT = {"serviceAccountName": "default", "automountServiceAccountToken": False}


def config(name: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, **more.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **more}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "main", "image": "busybox:1"}], **_ACCOUNT, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "busybox:1"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


CONFIGS, PODS, DEPLOYMENTS, JOBS = f"{CORE}/configmaps", f"{CORE}/pods", f"{APPS}/deployments", f"{BATCH}/jobs"
SERVICES, SECRETS = f"{CORE}/services", f"{CORE}/secrets"

SCENES: dict[str, list[Ask]] = {
    "what is there": [
        Ask("GET", f"{CONFIGS}/none"),
        Ask("POST", CONFIGS, config("a", data={"x": "1"})),
        Ask("POST", CONFIGS, config("a")),
        Ask("GET", f"{CONFIGS}/a"),
        Ask("DELETE", f"{CONFIGS}/a"),
        Ask("DELETE", f"{CONFIGS}/a"),
        Ask("PUT", f"{CONFIGS}/b", config("b")),
        Ask("GET", "/apis/none/v1/things"),
        Ask("GET", f"{CORE}/things"),
        Ask("POST", "/api/v1/namespaces/none-such/configmaps", config("a")),
    ],
    "names": [
        Ask("POST", CONFIGS, config("Not_A_Name")),
        Ask("POST", CONFIGS, config("")),
        Ask("POST", CONFIGS, config("a", metadata={"labels": {"-bad": "x", "good": "no spaces please"}})),
        Ask("POST", CONFIGS, config("a", metadata={"annotations": {"a b": "x"}})),
        Ask("POST", CONFIGS, config("a", metadata={"namespace": "another"})),
        Ask("POST", SERVICES, {"metadata": {"name": "1.2"}, "spec": {"ports": [{"port": 80}]}}),
        Ask("PUT", f"{CONFIGS}/a", config("b")),
        Ask("POST", CONFIGS, config("a", metadata={"resourceVersion": "7"})),
        Ask("POST", CONFIGS, config("a", metadata={"finalizers": ["no good"]})),
        Ask("POST", CONFIGS, config("a", data={"bad key": "x"})),
    ],
    "bodies": [
        Ask("POST", CONFIGS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}),
        Ask("POST", CONFIGS, {"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "a"}}),
        Ask("POST", CONFIGS, {"metadata": {"name": "a"}}),
        Ask("PATCH", f"{CONFIGS}/a", {"data": {}}, media="application/json"),
        Ask("PATCH", f"{CONFIGS}/a", [{"op": "add", "path": "/data/y", "value": "2"}], JSON_PATCH),
        Ask("PATCH", f"{CONFIGS}/a", [{"op": "add", "path": "/data", "value": {"y": "2"}}], JSON_PATCH),
        Ask("PATCH", f"{CONFIGS}/a", [{"op": "test", "path": "/data/y", "value": "3"}], JSON_PATCH),
        Ask("PATCH", f"{CONFIGS}/a", {"data": {"y": None, "z": "3"}}, MERGE),
        Ask("PATCH", f"{CONFIGS}/a", {"metadata": {"resourceVersion": "1"}}, MERGE),
        Ask("PATCH", f"{CONFIGS}/none", {"data": {}}, MERGE),
        Ask("PUT", f"{CONFIGS}/a", config("a", metadata={"resourceVersion": "1"}, data={"x": "2"})),
        Ask("PUT", f"{CONFIGS}/a", config("a", metadata={"uid": "not-its-own"}, data={"x": "2"})),
    ],
    "defaults of a pod": [
        Ask("POST", PODS, pod("plain")),
        Ask(
            "POST",
            PODS,
            pod(
                "rich",
                containers=[
                    {
                        "name": "main",
                        "image": "busybox",
                        "ports": [{"containerPort": 80}],
                        "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}},
                        "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                        "livenessProbe": {"httpGet": {"port": 80}},
                        "readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 3},
                    }
                ],
                initContainers=[{"name": "first", "image": "busybox:latest"}],
                volumes=[{"name": "v", "emptyDir": {}}, {"name": "c", "configMap": {"name": "c"}}, {"name": "n"}],
                tolerations=[{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
            ),
        ),
        Ask("PATCH", f"{PODS}/plain", {"spec": {"containers": [{"name": "main", "image": "busybox:2"}]}}, STRATEGIC),
        Ask("PATCH", f"{PODS}/plain", {"spec": {"restartPolicy": "Never"}}, MERGE),
        Ask("PATCH", f"{PODS}/plain", {"metadata": {"labels": {"a": "b"}}}, MERGE),
        Ask("GET", f"{PODS}/plain/log"),
        Ask("PUT", f"{PODS}/plain/status", {**pod("plain"), "status": {"phase": "Running"}}),
        Ask("GET", f"{PODS}?fieldSelector=status.phase%3DRunning&labelSelector=a%3Db"),
        Ask("GET", f"{PODS}?fieldSelector=spec.unknown%3D1"),
        Ask("GET", f"{PODS}?labelSelector=a%20in%20%28"),
    ],
    "pods that cannot be": [
        Ask("POST", PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}),
        Ask("POST", PODS, pod("p1", containers=[])),
        Ask("POST", PODS, pod("p2", containers=[{"name": "a"}, {"name": "a", "image": "x"}])),
        Ask("POST", PODS, pod("p3", containers=[{"name": "A b", "image": "x"}])),
        Ask("POST", PODS, pod("p4", restartPolicy="Sometimes")),
        Ask(
            "POST",
            PODS,
            pod("p5", containers=[{"name": "a", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]),
        ),
        Ask("POST", PODS, pod("p6", containers=[{"name": "a", "image": "x", "ports": [{"containerPort": 70000}]}])),
        Ask(
            "POST",
            PODS,
            pod(
                "p",
                containers=[
                    {"name": "a", "image": "x", "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}
                ],
            ),
        ),
        Ask("POST", PODS, pod("p7", containers=[{"name": "a", "image": "x", "env": [{"name": "1 2", "value": "x"}]}])),
        Ask("POST", PODS, pod("p8", terminationGracePeriodSeconds=-1, dnsPolicy="Mine")),
        Ask("POST", PODS, pod("p9", nodeSelector={"a": "b c"})),
    ],
    "workloads": [
        Ask("POST", DEPLOYMENTS, deployment("d")),
        Ask("POST", DEPLOYMENTS, deployment("e", selector={"matchLabels": {"other": "x"}})),
        Ask("POST", DEPLOYMENTS, deployment("e", replicas=-1)),
        Ask("POST", DEPLOYMENTS, deployment("e", strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}})),
        Ask("GET", f"{DEPLOYMENTS}/d/scale"),
        Ask("PATCH", f"{DEPLOYMENTS}/d/scale", {"spec": {"replicas": 3}}, MERGE),
        Ask("PATCH", f"{DEPLOYMENTS}/d", {"spec": {"selector": {"matchLabels": {"app": "x"}}}}, MERGE),
        Ask(
            "PATCH",
            f"{DEPLOYMENTS}/d",
            {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:2"}]}}}},
            STRATEGIC,
        ),
        Ask(
            "PATCH",
            f"{DEPLOYMENTS}/d",
            {"spec": {"template": {"spec": {"containers": [{"$patch": "delete", "name": "main"}]}}}},
            STRATEGIC,
        ),
        Ask(
            "POST",
            JOBS,
            {"metadata": {"name": "j"}, "spec": {"template": {"spec": {"containers": [{"name": "m", "image": "x"}]}}}},
        ),
        Ask("POST", JOBS, {"metadata": {"name": "j"}, "spec": {"template": pod("t", restartPolicy="Never")}}),
        Ask("PATCH", f"{JOBS}/j", {"spec": {"completions": 5}}, MERGE),
    ],
    "services and secrets": [
        Ask("POST", SERVICES, {"metadata": {"name": "s"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}}),
        Ask("POST", SERVICES, {"metadata": {"name": "t"}, "spec": {"selector": {"a": "b"}}}),
        Ask("POST", SERVICES, {"metadata": {"name": "t"}, "spec": {"ports": [{"port": 0}]}}),
        Ask("POST", SERVICES, {"metadata": {"name": "t"}, "spec": {"ports": [{"port": 80}, {"port": 81}]}}),
        Ask("POST", SERVICES, {"metadata": {"name": "t"}, "spec": {"type": "ExternalName"}}),
        Ask("POST", SECRETS, {"metadata": {"name": "s"}, "stringData": {"a": "b"}}),
        Ask("POST", SECRETS, {"metadata": {"name": "t"}, "data": {"a": "not base 64"}}),
        Ask("PATCH", f"{SECRETS}/s", {"type": "other"}, MERGE),
        Ask("PATCH", f"{SECRETS}/s", {"immutable": True}, MERGE),
        Ask("PATCH", f"{SECRETS}/s", {"stringData": {"a": "c"}}, MERGE),
    ],
    "server-side apply": [
        Ask("PATCH", f"{CONFIGS}/a?fieldManager=one", config("a", data={"x": "1", "y": "1"}), APPLY),
        Ask("PATCH", f"{CONFIGS}/a?fieldManager=two", config("a", data={"x": "2"}), APPLY),
        Ask("PATCH", f"{CONFIGS}/a?fieldManager=two&force=true", config("a", data={"x": "2"}), APPLY),
        Ask("PATCH", f"{CONFIGS}/a?fieldManager=one", config("a", data={"y": "1"}), APPLY),
        Ask("PATCH", f"{CONFIGS}/a?fieldManager=one", config("a"), APPLY),
        Ask("PATCH", f"{CONFIGS}/a", config("a"), APPLY),
        Ask("PATCH", f"{CONFIGS}/a?fieldManager=one", config("b"), APPLY),
        Ask("PATCH", f"{DEPLOYMENTS}/d?fieldManager=one", deployment("d", replicas=2), APPLY),
        Ask("PATCH", f"{DEPLOYMENTS}/d?fieldManager=two", {"spec": {"replicas": 3}}, MERGE),
        Ask("PATCH", f"{DEPLOYMENTS}/d?fieldManager=one", deployment("d", replicas=4), APPLY),
        Ask("GET", f"{DEPLOYMENTS}/d"),
    ],
    "ends": [
        Ask("POST", CONFIGS, config("a", metadata={"finalizers": ["example.com/wait"]})),
        Ask("DELETE", f"{CONFIGS}/a"),
        Ask("PATCH", f"{CONFIGS}/a", {"metadata": {"finalizers": ["example.com/more"]}}, MERGE),
        Ask("PATCH", f"{CONFIGS}/a", {"metadata": {"finalizers": []}}, MERGE),
        Ask("GET", f"{CONFIGS}/a"),
        Ask("POST", CONFIGS, config("b")),
        Ask("DELETE", f"{CONFIGS}/b", {"preconditions": {"uid": "another"}}),
        Ask("DELETE", f"{CONFIGS}/b?dryRun=All"),
        Ask("DELETE", f"{CONFIGS}/b?dryRun=Some"),
        Ask("DELETE", f"{CONFIGS}/b", {"propagationPolicy": "Never"}),
        Ask("POST", f"{CONFIGS}?dryRun=All", config("c")),
        Ask("GET", f"{CONFIGS}/c"),
        Ask("DELETE", f"{CONFIGS}?labelSelector=none%3Dx"),
    ],
    "lists": [
        *(Ask("POST", CONFIGS, config(name, metadata={"labels": {"n": name}})) for name in "abc"),
        Ask("GET", f"{CONFIGS}?limit=2&labelSelector=n"),
        Ask("GET", f"{CONFIGS}?labelSelector=n%21%3Db%2Cn"),
        Ask("GET", f"{CONFIGS}?labelSelector=n", accept="application/json;as=Table;v=v1;g=meta.k8s.io"),
        Ask("GET", f"{CONFIGS}/a", accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"),
        Ask("GET", f"{CONFIGS}?continue=nonsense"),
        Ask("GET", f"{CONFIGS}?resourceVersionMatch=Exact"),
        Ask("GET", f"{CONFIGS}?resourceVersion=x"),
        Ask("GET", f"{CONFIGS}?fieldSelector=metadata.name%3Db"),
        Ask("GET", f"{DEPLOYMENTS}", accept="application/json;as=Table;v=v1;g=meta.k8s.io"),
        Ask("GET", f"{PODS}", accept="application/json;as=Table;v=v1;g=meta.k8s.io"),
        Ask("GET", f"{JOBS}", accept="application/json;as=Table;v=v1;g=meta.k8s.io"),
        Ask("GET", f"{SERVICES}", accept="application/json;as=Table;v=v1;g=meta.k8s.io"),
        Ask("GET", f"{CONFIGS}", accept="text/html"),
    ],
}
