"""The one kind of pipelines: `Run`, owner of its step pods. It is thin: the facts of a run are in records.

The API creates it after the record and sets `spec.terminate`; the engine works on it and writes the status;
`kubectl get runs` shows it.
"""

from __future__ import annotations

from fairway.kernel.objects.crds import Column, CustomKind
from fairway.kernel.objects.kinds import Kind, Object

RUN = Kind("pipelines.fairway.dev", "v1", "Run", "runs")

_TEXT: Object = {"type": "string"}

RUN_KIND = CustomKind(
    kind=RUN,
    schema={
        "spec": {
            "type": "object",
            "required": ["runId"],
            "properties": {
                "runId": {**_TEXT, "description": "The id of the run's record; the object's name is the same."},
                "displayName": _TEXT,
                "terminate": {"type": "boolean", "description": "End the run: its pods stop, its state is CANCELED."},
                "paused": {"type": "boolean", "description": "No further step is started, as the record says."},
                "asked": {
                    "type": "integer",
                    "description": "How many requests the records hold for the engine to read, such as approvals.",
                },
                "retries": {
                    "type": "integer",
                    "description": "How often a retry was asked for. A change starts again what did not succeed.",
                },
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "phase": {
                    **_TEXT,
                    "description": "PENDING, RUNNING, PAUSED, SUCCEEDED, FAILED, CANCELING or CANCELED.",
                },
                "message": _TEXT,
                "retries": {"type": "integer", "description": "The retries that the engine has taken up."},
                "startedAt": {**_TEXT, "format": "date-time"},
                "finishedAt": {**_TEXT, "format": "date-time"},
                "expiresAt": {
                    **_TEXT,
                    "format": "date-time",
                    "description": "When the object and its pods are removed; the records stay.",
                },
                "conditions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["type", "status"],
                        "properties": {
                            "type": _TEXT,
                            "status": _TEXT,
                            "reason": _TEXT,
                            "message": _TEXT,
                            "lastTransitionTime": {**_TEXT, "format": "date-time"},
                        },
                    },
                },
            },
        },
    },
    categories=("pipelines",),
    columns=(
        Column("Pipeline", ".spec.displayName"),
        Column("Phase", ".status.phase"),
        Column("Message", ".status.message"),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
)

KINDS = (RUN_KIND,)
