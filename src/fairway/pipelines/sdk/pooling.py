"""Pools: how many steps of all runs together may use something at a time. `options.pool` puts a step in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairway.pipelines.sdk.connecting import connect
from fairway.pipelines.sdk.wire import Api


@dataclass(frozen=True, slots=True)
class Pool:
    """`used` slots are taken now, and `waiting` steps wait for some. Without `slots` there is no such pool (yet)."""

    name: str
    slots: int | None
    used: int = 0
    waiting: int = 0
    description: str = ""


def pools(*, missing: bool = False, server: Api | None = None) -> list[Pool]:
    """All pools; with `missing` also those that nobody has made and steps wait for."""
    answer = (server or connect()).get("pools")
    return [_read(found) for found in (*answer.get("pools", ()), *(answer.get("missing", ()) if missing else ()))]


def set_pool(name: str, slots: int, *, description: str = "", server: Api | None = None) -> Pool:
    """Make a pool, or change it. With fewer slots than are used nothing is stopped."""
    body = {"slots": slots, **({"description": description} if description else {})}
    return _read((server or connect()).put(f"pools/{name}", body))


def delete_pool(name: str, *, server: Api | None = None) -> None:
    """Steps that want it wait until there is one again. Raises NotThere."""
    (server or connect()).delete(f"pools/{name}")


def _read(found: Mapping[str, Any]) -> Pool:
    used, waiting = int(found.get("used", 0)), int(found.get("waiting", 0))
    return Pool(found["name"], found.get("slots"), used, waiting, found.get("description", ""))
