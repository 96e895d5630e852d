"""The definition of JobSet: the fields of upstream's v1alpha2, with the defaults that a schema can give.

Templates of Jobs and of claims are passed on as they are; the API holds them to the schema of Job.
"""

from __future__ import annotations

from typing import Any

from fairway.kernel.objects.crds import OPEN, Column, CustomKind
from fairway.kernel.objects.kinds import JOB_SET

_TEXT: dict[str, Any] = {"type": "string"}
_FLAG: dict[str, Any] = {"type": "boolean"}
_COUNT: dict[str, Any] = {"type": "integer", "format": "int32", "minimum": 0}
_NUMBER: dict[str, Any] = {"type": "integer", "format": "int32"}
_MOST_RESTARTS = 1024


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def _list(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, "x-kubernetes-list-type": "atomic", **more}


def _map(items: dict[str, Any], key: str, **more: Any) -> dict[str, Any]:
    return {**_list(items, **more), "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def _one_of(*words: str, **more: Any) -> dict[str, Any]:
    return {**_TEXT, "enum": list(words), **more}


_REPLICATED_JOB = _object(
    "name",
    "template",
    name=_TEXT,
    groupName={**_TEXT, "default": "default"},
    replicas={**_COUNT, "default": 1},
    template=OPEN,
    dependsOn=_map(_object("name", "status", name=_TEXT, status=_one_of("Ready", "Complete")), "name", maxItems=5),
)
_RULE = _object(
    "action",
    "name",
    name=_TEXT,
    action=_one_of(
        "FailJobSet",
        "RestartJobSet",
        "RestartJobSetAndIgnoreMaxRestarts",
        "RestartJob",
        "RestartJobAndIgnoreMaxRestarts",
    ),
    onJobFailureReasons=_list(_TEXT),
    onJobFailureMessagePatterns=_list(_TEXT),
    targetReplicatedJobs=_list(_TEXT),
)
_CLAIMS = _object(
    templates=_list(OPEN, maxItems=50),
    retentionPolicy=_object(whenDeleted=_one_of("Delete", "Retain", default="Delete")),
)
_SPEC = _object(
    replicatedJobs=_map(_REPLICATED_JOB, "name"),
    network=_object(enableDNSHostnames=_FLAG, subdomain=_TEXT, publishNotReadyAddresses=_FLAG),
    successPolicy=_object("operator", operator=_one_of("All", "Any"), targetReplicatedJobs=_list(_TEXT)),
    failurePolicy=_object(
        maxRestarts=_NUMBER,
        restartStrategy=_one_of("Recreate", "BlockingRecreate", "InPlaceRestart", default="Recreate"),
        rules=_list(_RULE),
    ),
    startupPolicy=_object("startupPolicyOrder", startupPolicyOrder=_one_of("AnyOrder", "InOrder")),
    suspend=_FLAG,
    coordinator=_object("replicatedJob", replicatedJob=_TEXT, jobIndex=_NUMBER, podIndex=_NUMBER),
    managedBy=_TEXT,
    ttlSecondsAfterFinished=_COUNT,
    volumeClaimPolicies=_list(_CLAIMS, maxItems=50),
)
_STATUS = _object(
    conditions=_map(
        _object(
            "type",
            "status",
            type=_TEXT,
            status=_one_of("True", "False", "Unknown"),
            reason=_TEXT,
            message=_TEXT,
            lastTransitionTime={**_TEXT, "format": "date-time"},
            observedGeneration={"type": "integer", "format": "int64"},
        ),
        "type",
    ),
    restarts=_NUMBER,
    restartsCountTowardsMax=_NUMBER,
    terminalState=_TEXT,
    replicatedJobsStatus=_map(
        _object(
            "name",
            name=_TEXT,
            ready=_NUMBER,
            succeeded=_NUMBER,
            failed=_NUMBER,
            active=_NUMBER,
            suspended=_NUMBER,
            jobRestarts=_list(_NUMBER, maxItems=_MOST_RESTARTS),
            jobRestartsCountTowardsMax=_list(_NUMBER, maxItems=_MOST_RESTARTS),
        ),
        "name",
    ),
)

KINDS: tuple[CustomKind, ...] = (
    CustomKind(
        JOB_SET,
        {"spec": _SPEC, "status": _STATUS},
        columns=(
            Column("TerminalState", ".status.terminalState"),
            Column("Restarts", ".status.restarts"),
            Column("Completed", '.status.conditions[?(@.type=="Completed")].status'),
            Column("Suspended", ".spec.suspend"),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
    ),
)
