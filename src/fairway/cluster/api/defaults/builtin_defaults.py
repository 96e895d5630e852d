"""What built-in kinds get when a client leaves it out, as tables.

A table is a tree: a plain key is a field with its default, a key that ends in `{}` is an object to go on in
where it is there, `[]` a list of objects. Clients and controllers compare with these values, so they are
upstream's. The few defaults that depend on other fields are functions at the end of the page.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from typing import Any

from fairway.cluster.api.checks import role_checks
from fairway.cluster.api.defaults import policy_defaults
from fairway.kernel.objects.errors import Invalid
from fairway.kernel.objects.kinds import Object

Default = Callable[[Object], None]

_HTTP_GET = {"path": "/", "scheme": "HTTP"}
_FIELD = {"fieldRef{}": {"apiVersion": "v1"}, "resourceFieldRef{}": {"divisor": "0"}}
_PROBE = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
    "httpGet{}": _HTTP_GET,
    "grpc{}": {"service": ""},
}
_CONTAINER = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "ports[]": {"protocol": "TCP"},
    "env[]": {"valueFrom{}": _FIELD},
    "livenessProbe{}": _PROBE,
    "readinessProbe{}": _PROBE,
    "startupProbe{}": _PROBE,
    "lifecycle{}": {"preStop{}": {"httpGet{}": _HTTP_GET}, "postStart{}": {"httpGet{}": _HTTP_GET}},
}
_POD_SPEC = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
    "containers[]": _CONTAINER,
    "initContainers[]": _CONTAINER,
    "volumes[]": {
        "configMap{}": {"defaultMode": 420},
        "secret{}": {"defaultMode": 420},
        "downwardAPI{}": {"defaultMode": 420, "items[]": _FIELD},
        "projected{}": {
            "defaultMode": 420,
            "sources[]": {
                "downwardAPI{}": {"items[]": _FIELD},
                "serviceAccountToken{}": {"expirationSeconds": 3600},
            },
        },
        "ephemeral{}": {"volumeClaimTemplate{}": {"spec{}": {"volumeMode": "Filesystem"}}},
        "hostPath{}": {"type": ""},
    },
}
_TEMPLATE = {"template{}": {"spec{}": _POD_SPEC}}
_UNLIMITED = 2**31 - 1  # what upstream puts where every index has a limit of its own
_ROLLING = {"maxUnavailable": "25%", "maxSurge": "25%"}

_CALLED = {"service{}": {"port": 443}}
_WEBHOOK = {
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "timeoutSeconds": 10,
    "rules[]": {"scope": "*"},
    "clientConfig{}": _CALLED,
}
_MATCHED = {
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "resourceRules[]": {"scope": "*"},
    "excludeResourceRules[]": {"scope": "*"},
}
_ROLE_REFERENCE = {"roleRef{}": {"apiGroup": role_checks.GROUP}}

_TABLES: dict[str, dict[str, Any]] = {
    "rolebindings.rbac.authorization.k8s.io": _ROLE_REFERENCE,
    "clusterrolebindings.rbac.authorization.k8s.io": _ROLE_REFERENCE,
    "pods": {
        # The priority is what admission finds for the pod's class.
        "spec{}": {**_POD_SPEC, "enableServiceLinks": True}
    },
    "deployments.apps": {
        "status": {},
        "spec{}": {
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate"},
            "strategy{}": {"type": "RollingUpdate"},
            **_TEMPLATE,
        },
    },
    "apiservices.apiregistration.k8s.io": {"status": {}, "spec{}": _CALLED},
    "podtemplates": {"template": {}, **_TEMPLATE},
    "replicationcontrollers": {"spec{}": {"replicas": 1, **_TEMPLATE}, "status": {"replicas": 0}},
    "replicasets.apps": {"spec{}": {"replicas": 1, **_TEMPLATE}, "status": {"replicas": 0}},
    "statefulsets.apps": {
        "status": {"replicas": 0, "availableReplicas": 0},
        "spec{}": {
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate"},
            "updateStrategy{}": {"type": "RollingUpdate"},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "persistentVolumeClaimRetentionPolicy{}": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "volumeClaimTemplates[]": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "spec{}": {"volumeMode": "Filesystem"},
                "status": {"phase": "Pending"},
            },
            **_TEMPLATE,
        },
    },
    "daemonsets.apps": {
        "status": {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0},
        "spec{}": {
            "revisionHistoryLimit": 10,
            "updateStrategy": {"type": "RollingUpdate"},
            "updateStrategy{}": {"type": "RollingUpdate"},
            **_TEMPLATE,
        },
    },
    "horizontalpodautoscalers.autoscaling": {"spec{}": {"minReplicas": 1}, "status": {"desiredReplicas": 0}},
    "jobs.batch": {
        "status": {},
        "spec{}": {
            "completionMode": "NonIndexed",
            "suspend": False,
            "podFailurePolicy{}": {"rules[]": {"onPodConditions[]": {"status": "True"}}},
            **_TEMPLATE,
        },
    },
    "cronjobs.batch": {
        "status": {},
        "spec{}": {
            "concurrencyPolicy": "Allow",
            "suspend": False,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1,
            "jobTemplate{}": {"metadata": {}, "spec{}": _TEMPLATE},
        },
    },
    "services": {
        "spec": {},
        "status": {"loadBalancer": {}},
        "spec{}": {
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ports[]": {"protocol": "TCP"},
        },
    },
    "secrets": {"type": "Opaque"},
    "persistentvolumeclaims": {"spec{}": {"volumeMode": "Filesystem"}, "status": {"phase": "Pending"}},
    "persistentvolumes": {
        "spec{}": {"volumeMode": "Filesystem", "persistentVolumeReclaimPolicy": "Retain"},
        "status": {"phase": "Pending"},
    },
    "namespaces": {"spec": {}, "spec{}": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}},
    "endpoints": {"subsets[]": {"ports[]": {"protocol": "TCP"}}},
    "endpointslices.discovery.k8s.io": {"ports[]": {"protocol": "TCP", "name": ""}},
    "customresourcedefinitions.apiextensions.k8s.io": {
        "spec{}": {"conversion": {"strategy": "None"}, "conversion{}": {"webhook{}": {"clientConfig{}": _CALLED}}}
    },
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": {
        "webhooks[]": {**_WEBHOOK, "reinvocationPolicy": "Never"}
    },
    "validatingwebhookconfigurations.admissionregistration.k8s.io": {"webhooks[]": _WEBHOOK},
    "validatingadmissionpolicies.admissionregistration.k8s.io": {
        "spec{}": {"failurePolicy": "Fail", "matchConstraints{}": _MATCHED}
    },
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": {"spec{}": {"matchResources{}": _MATCHED}},
    "mutatingadmissionpolicies.admissionregistration.k8s.io": {
        "spec{}": {"failurePolicy": "Fail", "matchConstraints{}": _MATCHED}
    },
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": {"spec{}": {"matchResources{}": _MATCHED}},
    "nodes": {"spec": {}, "status": {}},
    "ingresses.networking.k8s.io": {"spec": {}, "status": {"loadBalancer": {}}},
    "networkpolicies.networking.k8s.io": {
        "spec": {},
        "spec{}": {
            "podSelector": {},
            "ingress[]": {"ports[]": {"protocol": "TCP"}},
            "egress[]": {"ports[]": {"protocol": "TCP"}},
        },
    },
    "csidrivers.storage.k8s.io": {
        "spec{}": {
            "attachRequired": True,
            "podInfoOnMount": False,
            "storageCapacity": False,
            "fsGroupPolicy": "ReadWriteOnceWithFSType",
            "volumeLifecycleModes": ["Persistent"],
            "requiresRepublish": False,
            "seLinuxMount": False,
        }
    },
    "resourcequotas": {"spec": {}, "status": {}},
    "limitranges": {"spec": {}},
    "storageclasses.storage.k8s.io": {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
    "poddisruptionbudgets.policy": {"spec": {}, "status": {}},
    "priorityclasses.scheduling.k8s.io": {"preemptionPolicy": "PreemptLowerPriority"},
}


def _compiled(table: dict[str, Any]) -> Default:
    """The function that a table describes, made once so that each object costs little."""
    plain = [(key, value) for key, value in table.items() if key[-1] not in "}]" and value is not None]
    objects = [(key[:-2], _compiled(inner)) for key, inner in table.items() if key.endswith("{}")]
    lists = [(key[:-2], _compiled(inner)) for key, inner in table.items() if key.endswith("[]")]

    def fill(obj: Object) -> None:
        for key, value in plain:
            if obj.get(key) is None:
                obj[key] = copy.copy(value) if isinstance(value, (dict, list)) else value
        for key, inner in objects:
            if isinstance(child := obj.get(key), dict):
                inner(child)
        for key, inner in lists:
            if isinstance(children := obj.get(key), list):
                for child in children:
                    if isinstance(child, dict):
                        inner(child)

    return fill


def _pod_spec(spec: Any) -> None:
    if not isinstance(spec, dict):
        return
    for container in (*_objects(spec, "containers"), *_objects(spec, "initContainers")):
        if not container.get("imagePullPolicy"):
            container["imagePullPolicy"] = _pull_policy(str(container.get("image") or ""))
        _requests(container.get("resources"))
    for volume in _objects(spec, "volumes"):
        if len(volume) == 1 and "name" in volume:
            volume["emptyDir"] = {}
    if account := spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"] = account


def _pull_policy(image: str) -> str:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if "@" not in image and tag in ("", "latest") else "IfNotPresent"


def _requests(resources: Any) -> None:
    """What is limited and not requested is requested up to its limit."""
    if isinstance(resources, dict) and (limits := resources.get("limits")):
        resources["requests"] = {**limits, **(resources.get("requests") or {})}


def _pod(obj: Object) -> None:
    spec = obj.get("spec")
    _pod_spec(spec)
    if isinstance(spec, dict):
        spec.setdefault("serviceAccountName", "default")
        spec["serviceAccount"] = spec["serviceAccountName"]
        status = obj.setdefault("status", {})
        status.setdefault("phase", "Pending")
        status["qosClass"] = _quality(spec)


def _quality(spec: Object) -> str:
    """Upstream's quality of service: what a pod may count on when memory is short."""
    any_set, guaranteed = False, True
    whole = spec.get("resources")
    for holder in [spec] if whole else [*_objects(spec, "containers"), *_objects(spec, "initContainers")]:
        resources = holder.get("resources") or {}
        requests, limits = _counted(resources.get("requests")), _counted(resources.get("limits"))
        any_set = any_set or bool(requests or limits)
        guaranteed = guaranteed and len(limits) == 2 and {**limits, **requests} == limits
    if not any_set:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _counted(amounts: Any) -> Object:
    """What counts for the quality of service: zero is nothing."""
    return {name: amounts[name] for name in ("cpu", "memory") if amounts and amounts.get(name, "0") != "0"}


def _template(obj: Object) -> None:
    template = (obj.get("spec") or {}).get("template")
    if isinstance(template, dict):
        _pod_spec(template.get("spec"))
        template.setdefault("metadata", {})


def _pod_template(obj: Object) -> None:
    _pod_spec((obj.get("template") or {}).get("spec"))
    obj["template"].setdefault("metadata", {})


def _replication_controller(obj: Object) -> None:
    """What it selects and what it is called by are its template's labels, where it says neither."""
    _template(obj)
    template = (obj.get("spec") or {}).get("template")
    if isinstance(template, dict) and (labels := template["metadata"].get("labels")):
        if not obj["spec"].get("selector"):
            obj["spec"]["selector"] = dict(labels)
        if not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(labels)


def _network_policy(obj: Object) -> None:
    spec = obj["spec"]
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _autoscaler(obj: Object) -> None:
    spec = obj.get("spec")
    if isinstance(spec, dict) and not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _deployment(obj: Object) -> None:
    _template(obj)
    strategy = (obj.get("spec") or {}).get("strategy")
    if isinstance(strategy, dict) and strategy.get("type") == "RollingUpdate":
        strategy["rollingUpdate"] = {**_ROLLING, **(strategy.get("rollingUpdate") or {})}


def _stateful_set(obj: Object) -> None:
    _template(obj)
    strategy = (obj.get("spec") or {}).get("updateStrategy")
    if isinstance(strategy, dict) and strategy.get("type") == "RollingUpdate":
        strategy["rollingUpdate"] = {"partition": 0, **(strategy.get("rollingUpdate") or {})}


def _daemon_set(obj: Object) -> None:
    _template(obj)
    strategy = (obj.get("spec") or {}).get("updateStrategy")
    if isinstance(strategy, dict) and strategy.get("type") == "RollingUpdate":
        strategy["rollingUpdate"] = {"maxUnavailable": 1, "maxSurge": 0, **(strategy.get("rollingUpdate") or {})}


def _job(obj: Object) -> None:
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    _template(obj)
    if spec.get("parallelism") is None:
        spec["parallelism"] = 1
        if spec.get("completions") is None:
            spec["completions"] = 1
    if spec.get("backoffLimit") is None:
        spec["backoffLimit"] = 6 if spec.get("backoffLimitPerIndex") is None else _UNLIMITED
    if spec.get("podReplacementPolicy") is None:
        spec["podReplacementPolicy"] = "TerminatingOrFailed" if spec.get("podFailurePolicy") is None else "Failed"
    uid = obj["metadata"].get("uid", "")
    template = spec.get("template")
    if not spec.get("manualSelector") and not spec.get("selector") and isinstance(template, dict):
        # Upstream's labels: with and without its prefix.
        own = {"controller-uid": uid, "job-name": obj["metadata"].get("name", "")}
        prefixed = {f"batch.kubernetes.io/{key}": value for key, value in own.items()}
        metadata = template.setdefault("metadata", {})
        metadata["labels"] = {**(metadata.get("labels") or {}), **own, **prefixed}
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    if isinstance(template, dict) and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict((template.get("metadata") or {}).get("labels") or {})


def _cron_job(obj: Object) -> None:
    template = (obj.get("spec") or {}).get("jobTemplate")
    if isinstance(template, dict):
        _template(template)


def _service(obj: Object) -> None:
    spec = obj["spec"]
    for port in _objects(spec, "ports"):
        if port.get("targetPort") in (None, "", 0):
            port["targetPort"] = port.get("port")
    if spec.get("type") == "ExternalName":
        for key in ("internalTrafficPolicy", "clusterIP", "clusterIPs"):
            spec.pop(key, None)
    elif spec.get("clusterIP") or spec.get("clusterIPs"):
        address = spec.get("clusterIP") or spec["clusterIPs"][0]
        spec |= {"clusterIP": address, "clusterIPs": [address]}
    if spec.get("sessionAffinity") == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})


def _secret(obj: Object) -> None:
    """stringData is for writing only: it becomes data. Lines that clients broke are put together, as upstream does."""
    for key, value in (obj.get("data") or {}).items():
        if isinstance(value, str) and ("\n" in value or "\r" in value):
            obj["data"][key] = value.replace("\r", "").replace("\n", "")
    plain = obj.pop("stringData", None)
    if isinstance(plain, dict):
        encoded = {}
        for key, value in plain.items():
            if not isinstance(value, str):
                raise Invalid(f"stringData[{key}]: Invalid value: the value must be a string; quote it in YAML")
            encoded[key] = base64.b64encode(value.encode()).decode()
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _namespace(obj: Object) -> None:
    metadata = obj["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata.get("name", "")}


def _objects(parent: Object, key: str) -> list[Object]:
    value = parent.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_DEPENDENT: dict[str, Default] = {
    "pods": _pod,
    "deployments.apps": _deployment,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "podtemplates": _pod_template,
    "replicationcontrollers": _replication_controller,
    "networkpolicies.networking.k8s.io": _network_policy,
    "replicasets.apps": _template,
    "statefulsets.apps": _stateful_set,
    "daemonsets.apps": _daemon_set,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "services": _service,
    "secrets": _secret,
    "namespaces": _namespace,
    "limitranges": policy_defaults.limit_range,
    "rolebindings.rbac.authorization.k8s.io": role_checks.subject_defaults,
    "clusterrolebindings.rbac.authorization.k8s.io": role_checks.subject_defaults,
}


def _both(first: Default, second: Default | None) -> Default:
    if second is None:
        return first

    def fill(obj: Object) -> None:
        first(obj)
        second(obj)

    return fill


def _with_spec(table: dict[str, Any]) -> dict[str, Any]:
    """Upstream's types always have a spec, if an empty one: what must be in it is missed by name."""
    return {"spec": {}, **table} if "spec{}" in table else table


TEMPLATE_DEFAULTS: Default = _both(_compiled({"spec{}": _TEMPLATE}), _template)
"""For what has a template of pods under its spec and is no object by itself."""

DEFAULTS: dict[str, Default] = {
    resource: _both(_compiled(_with_spec(table)), _DEPENDENT.get(resource)) for resource, table in _TABLES.items()
}
