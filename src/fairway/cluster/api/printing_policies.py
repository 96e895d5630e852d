"""The columns of the kinds that rule others, as kubectl's users know them: priority classes, quotas, limits."""

from __future__ import annotations

from collections.abc import Mapping

from fairway.cluster.api.printing_columns import AGE, NAME, Cell, Column, at, number, value
from fairway.kernel.objects.kinds import Object


def _used(*, limits: bool) -> Cell:
    """What is used of each limited name."""

    def cell(obj: Object, now: float) -> str:
        hard, used = value(obj, "status.hard") or {}, value(obj, "status.used") or {}
        names = sorted(name for name in hard if name.startswith("limits") is limits)
        return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in names)

    return cell


COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "limitranges": (NAME, Column("Created At", at("metadata.creationTimestamp"), type="date")),
    "resourcequotas": (
        NAME,
        Column("Request", _used(limits=False)),
        Column("Limit", _used(limits=True)),
        AGE,
    ),
    "priorityclasses.scheduling.k8s.io": (
        NAME,
        Column("Value", number("value"), type="integer"),
        Column("Global-Default", lambda obj, now: bool(value(obj, "globalDefault")), type="boolean"),
        AGE,
        Column("PreemptionPolicy", at("preemptionPolicy")),
    ),
}
