"""The fields of an InferenceService that are understood, and what to do about those that are not. Data."""

from __future__ import annotations

POD = frozenset(
    ("volumes", "initContainers", "restartPolicy", "terminationGracePeriodSeconds", "activeDeadlineSeconds",
     "dnsPolicy", "nodeSelector", "serviceAccountName", "serviceAccount", "automountServiceAccountToken", "nodeName",
     "hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "securityContext", "imagePullSecrets", "hostname",
     "subdomain", "affinity", "schedulerName", "tolerations", "hostAliases", "priorityClassName", "priority",
     "dnsConfig", "readinessGates", "runtimeClassName", "enableServiceLinks", "preemptionPolicy", "overhead",
     "topologySpreadConstraints", "setHostnameAsFQDN", "os", "hostUsers", "schedulingGates", "resourceClaims",
     "resources")
)  # fmt: skip
"""What of a pod's spec may stand beside a component's own fields."""

CONTAINER = frozenset(
    ("image", "command", "args", "workingDir", "ports", "envFrom", "env", "resources", "resizePolicy",
     "restartPolicy", "volumeMounts", "volumeDevices", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle",
     "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "securityContext", "stdin", "stdinOnce",
     "tty")
)  # fmt: skip
"""What of a container may stand in a model's block."""

COMPONENT = frozenset(
    ("minReplicas", "maxReplicas", "containerConcurrency", "timeout", "labels", "annotations", "deploymentStrategy",
     "containers", "logger", "batcher", "storageUris", "storageContainerName", "scaleTarget", "scaleMetric",
     "scaleMetricType", "autoScaling")
)  # fmt: skip
MODEL = frozenset(("storageUri", "storage", "protocolVersion", "runtime", "runtimeVersion", "modelFormat", "name"))
SERVICE = frozenset(("predictor", "transformer", "explainer", "canary"))

REFUSED_IN_SERVICE: dict[str, str] = {}
REFUSED_IN_COMPONENT = {
    "canaryTrafficPercent": "remove it; set it in the predictor",
    "workerSpec": "remove it; only a predictor has workers",
    "name": "remove it; only a predictor has variants",
    "art": "put the explainer into containers",
}
REFUSED_IN_MODEL = {
    "confidential": "remove it; models are not decrypted here",
}
