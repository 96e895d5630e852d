"""The columns of the kinds that rule others, as kubectl's users know them: priority classes."""

from __future__ import annotations

from collections.abc import Mapping

from fairway.cluster.api.printing_columns import AGE, NAME, Column, at, number, value

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "priorityclasses.scheduling.k8s.io": (
        NAME,
        Column("Value", number("value"), type="integer"),
        Column("Global-Default", lambda obj, now: bool(value(obj, "globalDefault")), type="boolean"),
        AGE,
        Column("PreemptionPolicy", at("preemptionPolicy")),
    ),
}
