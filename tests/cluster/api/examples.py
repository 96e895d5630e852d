"""One object of every built-in kind, as people write them: amounts in all forms, and little of what has a default."""

from __future__ import annotations

import base64
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fairway.kernel.objects.kinds import Object

_LABELS = {"app": "example"}
_RESOURCES = {"limits": {"cpu": 0.5, "memory": "1024Mi"}, "requests": {"cpu": "100m", "memory": "0.5Gi"}}
_CONTAINER = {
    "name": "main",
    "image": "busybox",
    "env": [
        {"name": "A", "value": "0.5"},
        {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ],
    "ports": [{"containerPort": 80}, {"containerPort": 81, "name": "more"}],
    "resources": _RESOURCES,
    "readinessProbe": {"httpGet": {"port": "more"}},
    "lifecycle": {"preStop": {"exec": {"command": ["true"]}}},
    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
}
_POD: Object = {
    "initContainers": [{"name": "first", "image": "busybox:1.36", "restartPolicy": "Always"}],
    "containers": [_CONTAINER],
    "volumes": [
        {"name": "scratch", "emptyDir": {"sizeLimit": "2048Mi"}},
        {
            "name": "all",
            "projected": {"sources": [{"configMap": {"name": "c"}}, {"serviceAccountToken": {"path": "t"}}]},
        },
        {"name": "about", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"name": "nothing"},
    ],
    "affinity": {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"labelSelector": {"matchLabels": _LABELS}, "topologyKey": "kubernetes.io/hostname"}
            ]
        }
    },
}
_TEMPLATE: Object = {"metadata": {"labels": _LABELS}, "spec": _POD}
_SELECTOR: Object = {"matchLabels": _LABELS}
_ENDING: Object = {"metadata": {"labels": _LABELS}, "spec": {**_POD, "restartPolicy": "Never"}}
_SCHEMA = {"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
_CALLED = {"clientConfig": {"service": {"namespace": "default", "name": "hook"}}, "admissionReviewVersions": ["v1"]}
_RULE = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
_WEBHOOKS = [{"name": "a.example.dev", "rules": [_RULE], "sideEffects": "None", "failurePolicy": "Ignore", **_CALLED}]
_ABOUT = {"apiVersion": "v1", "kind": "Pod", "name": "p", "namespace": "default"}
_MATCHED = {"resourceRules": [_RULE]}


def _request() -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = made.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


def _object(api_version: str, kind: str, **fields: Any) -> Object:
    metadata = {"name": "example", **fields.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


EXAMPLES: list[Object] = [
    _object("v1", "ConfigMap", data={"a": "1024Mi", "b": ""}, binaryData={"c": "AAEC"}),
    _object("v1", "Endpoints", subsets=[{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]),
    _object("v1", "Event", involvedObject=_ABOUT, reason="Why", message="so", type="Normal", count=1),
    _object(
        "v1",
        "LimitRange",
        spec={"limits": [{"type": "Container", "max": {"memory": "64Gi", "cpu": 64}, "defaultRequest": {"cpu": 0.25}}]},
    ),
    _object("v1", "Namespace", metadata={"labels": {"team": "a"}}),
    _object("v1", "Node", spec={"unschedulable": True}, status={"capacity": {"cpu": 2, "memory": "1048576Ki"}}),
    _object(
        "v1",
        "PersistentVolumeClaim",
        spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1.5Gi"}}},
    ),
    _object(
        "v1",
        "PersistentVolume",
        spec={
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "10240Mi"},
            "hostPath": {"path": "/srv/data"},
            "storageClassName": "manual",
        },
    ),
    _object("v1", "Pod", metadata={"labels": _LABELS}, spec=_POD),
    _object("v1", "PodTemplate", template=_TEMPLATE),
    _object("v1", "ReplicationController", spec={"replicas": 0, "template": _TEMPLATE}),
    _object("v1", "ResourceQuota", spec={"hard": {"pods": 30, "requests.cpu": "100000m", "limits.memory": "100Gi"}}),
    _object("v1", "Secret", stringData={"a": "b"}, data={"c": "ZA=="}),
    _object("v1", "ServiceAccount", automountServiceAccountToken=False),
    _object(
        "v1", "Service", spec={"selector": _LABELS, "ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]}
    ),
    _object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        metadata={"name": "examples.example.dev"},
        spec={
            "group": "example.dev",
            "names": {"kind": "Example", "plural": "examples"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": _SCHEMA}}],
        },
    ),
    _object(
        "apiregistration.k8s.io/v1",
        "APIService",
        metadata={"name": "v1.elsewhere.dev"},
        spec={
            "group": "elsewhere.dev",
            "version": "v1",
            "service": {"namespace": "default", "name": "nobody"},
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 1000,
            "versionPriority": 10,
        },
    ),
    _object("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", webhooks=_WEBHOOKS),
    _object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", webhooks=_WEBHOOKS),
    _object(
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
        spec={"matchConstraints": _MATCHED, "validations": [{"expression": "true"}], "failurePolicy": "Ignore"},
    ),
    _object(
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicyBinding",
        spec={"policyName": "none", "validationActions": ["Warn"]},
    ),
    _object(
        "admissionregistration.k8s.io/v1",
        "MutatingAdmissionPolicy",
        spec={
            "matchConstraints": _MATCHED,
            "reinvocationPolicy": "Never",
            "mutations": [
                {"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: 'test', path: '/kind'}]"}}
            ],
        },
    ),
    _object("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicyBinding", spec={"policyName": "none"}),
    _object("apps/v1", "Deployment", spec={"replicas": 0, "selector": _SELECTOR, "template": _TEMPLATE}),
    _object("apps/v1", "ReplicaSet", spec={"replicas": 0, "selector": _SELECTOR, "template": _TEMPLATE}),
    _object(
        "apps/v1",
        "StatefulSet",
        spec={
            "replicas": 0,
            "serviceName": "example",
            "selector": _SELECTOR,
            "template": _TEMPLATE,
            "volumeClaimTemplates": [
                {
                    "metadata": {"name": "data"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}},
                }
            ],
        },
    ),
    _object("apps/v1", "DaemonSet", spec={"selector": _SELECTOR, "template": _TEMPLATE}),
    _object("apps/v1", "ControllerRevision", revision=1, data={"spec": {"template": _TEMPLATE}}),
    _object("batch/v1", "Job", spec={"suspend": True, "template": _ENDING}),
    _object(
        "batch/v1",
        "CronJob",
        spec={"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": _ENDING}}},
    ),
    _object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "example"},
            "maxReplicas": 3,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": 0.5}},
                }
            ],
        },
    ),
    _object(
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        metadata={"name": "older"},
        spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"}, "maxReplicas": 3},
    ),
    _object(
        "networking.k8s.io/v1",
        "Ingress",
        spec={"defaultBackend": {"service": {"name": "example", "port": {"number": 80}}}},
    ),
    _object("networking.k8s.io/v1", "IngressClass", spec={"controller": "example.dev/nobody"}),
    _object("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}, "egress": [{"ports": [{"port": 53}]}]}),
    _object(
        "node.k8s.io/v1", "RuntimeClass", handler="example", overhead={"podFixed": {"memory": "128Mi", "cpu": 0.25}}
    ),
    _object("storage.k8s.io/v1", "StorageClass", provisioner="example.dev/nobody"),
    _object("storage.k8s.io/v1", "CSIDriver", spec={}),
    _object("storage.k8s.io/v1", "CSINode", spec={"drivers": []}),
    _object(
        "coordination.k8s.io/v1",
        "Lease",
        spec={"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"},
    ),
    _object("scheduling.k8s.io/v1", "PriorityClass", value=1000),
    _object("policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": "50%", "selector": _SELECTOR}),
    _object(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        addressType="IPv4",
        endpoints=[{"addresses": ["10.0.0.1"]}],
        ports=[{"port": 80}],
    ),
    _object(
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        spec={
            "request": _request(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth", "digital signature"],
        },
    ),
    _object(
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    ),
    _object(
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        roleRef={"kind": "ClusterRole", "name": "view"},
        subjects=[{"kind": "User", "name": "alice"}],
    ),
    _object(
        "rbac.authorization.k8s.io/v1", "Role", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    ),
    _object(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        roleRef={"kind": "ClusterRole", "name": "view"},
        subjects=[{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
    ),
    _object(
        "events.k8s.io/v1",
        "Event",
        metadata={"name": "newer"},
        regarding=_ABOUT,
        reason="Why",
        note="so",
        type="Normal",
        action="Looking",
        eventTime="2026-01-01T00:00:00.000000Z",
        reportingController="example.dev/nobody",
        reportingInstance="nobody-1",
    ),
]
