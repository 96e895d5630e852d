"""How artifacts look, and what joins them to tasks: in the words of KFP 3.0's ArtifactService."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from fairway.pipelines.api.answers import compact, moment

_SCALAR = "system.Metric"
"""One number of a Metrics artifact, in a row of its own."""
_TITLES = {
    "Artifact": "system.Artifact",
    "Model": "system.Model",
    "Dataset": "system.Dataset",
    "HTML": "system.HTML",
    "Markdown": "system.Markdown",
    "Metric": "system.Metrics",
    "ClassificationMetric": "system.ClassificationMetrics",
    "SlicedClassificationMetric": "system.SlicedClassificationMetrics",
}
_WORDS = {title: word for word, title in _TITLES.items()} | {_SCALAR: "Metric"}
WORDS = tuple(_TITLES)
"""What 3.0 calls the types of artifacts. Types that it does not know keep the title of their schema."""


def title(word: str, *, scalar: bool = True) -> str:
    """The title of the schema that a word of 3.0 means; any other text is a title already."""
    return _SCALAR if word == "Metric" and scalar else _TITLES.get(word, word)


def message(row: RowMapping) -> dict[str, Any]:
    return _artifact(row, row["id"], row["type"])


def linked(link: RowMapping) -> dict[str, Any]:
    """The artifact in a row that joins it to a task."""
    return _artifact(link, link["artifact_id"], link["artifact_type"])


def link(row: Mapping[str, Any]) -> dict[str, Any]:
    """An ArtifactTask."""
    producer = compact({"task_name": row["producer_task_name"]})
    if row["producer_iteration"] is not None:
        producer["iteration"] = str(row["producer_iteration"])
    return compact(
        {
            "id": f"{row['task_id']}/{'out' if row['output'] else 'in'}/{row['key']}/{row['position']}",
            "artifact_id": row["artifact_id"],
            "run_id": row["run_id"],
            "task_id": row["task_id"],
            "type": row["type"],
            "key": row["key"],
            "producer": producer,
        }
    )


def _artifact(row: RowMapping, id_: str, type_: str) -> dict[str, Any]:
    found = compact(
        {
            "artifact_id": id_,
            "name": row["name"],
            "description": row["description"],
            "type": _WORDS.get(type_, type_),
            "uri": row["uri"],
            "metadata": row["metadata"],
            "created_at": moment(row["created_at"]),
            "namespace": row["namespace"],
        }
    )
    if row["number_value"] is not None:
        found["number_value"] = row["number_value"]
    return found
