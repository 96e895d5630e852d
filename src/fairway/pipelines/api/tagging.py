"""Tags of pipelines and of versions: one small table for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from fairway.pipelines.tables import tags


def set_tags(connection: Connection, owner: str, labels: Mapping[str, str]) -> None:
    """Replace all tags of `owner`."""
    connection.execute(tags.delete().where(tags.c.owner_id == owner))
    if labels:
        rows = [{"owner_id": owner, "key": key, "value": value} for key, value in labels.items()]
        connection.execute(tags.insert(), rows)


def tags_of(connection: Connection, owners: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for tag in connection.execute(select(tags).where(tags.c.owner_id.in_(owners)).order_by(tags.c.key)):
        found.setdefault(tag.owner_id, {})[tag.key] = tag.value
    return found
