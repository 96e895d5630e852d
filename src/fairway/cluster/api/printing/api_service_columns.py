"""The columns of an APIService: who answers the group version, and whether they do."""

from __future__ import annotations

from fairway.cluster.api.printing.columns import AGE, NAME, Column, value
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import Object


def _answered_by(obj: Object, now: float) -> str:
    service = value(obj, "spec.service")
    return f"{service['namespace']}/{service['name']}" if service else "Local"


def _available(obj: Object, now: float) -> str:
    found = conditions.find(obj, "Available") or {"status": "Unknown"}
    return "True" if found["status"] == "True" else f"{found['status']} ({found.get('reason') or ''})"


COLUMNS = (NAME, Column("Service", _answered_by), Column("Available", _available), AGE)
