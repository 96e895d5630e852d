"""`fairway audit`: who wrote what in the Kubernetes API, and who was refused; newest first.

It reads the files of the audit log, so it answers for a platform that is stopped, too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from fairway.cli import connection, printing
from fairway.cluster.api.auditing import reading

_USUAL = 50
_COLUMNS = ("when", "who", "verb", "what", "answer")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", metavar="U", help="what this user did, also as somebody else")
    parser.add_argument("--namespace", "-n", metavar="N", help="what concerns this namespace")
    parser.add_argument("--resource", metavar="R", help="what concerns this resource, such as pods")
    parser.add_argument("--refused", action="store_true", help="who was refused only")
    parser.add_argument("--platform", action="store_true", help="what the platform's own controllers did, too")
    parser.add_argument(
        "--limit", type=int, default=_USUAL, metavar="N", help=f"at most so many; {_USUAL} unless given"
    )
    parser.add_argument("--json", action="store_true", help="one audit.k8s.io/v1 Event on each line")
    parser.epilog = "example: fairway audit --refused --namespace team"


def run(options: argparse.Namespace) -> int:
    folder = connection.data_dir(options.data_dir) / reading.FOLDER
    found = islice(_chosen(options, reading.newest_first(folder, platform=options.platform)), options.limit)
    if options.json:
        for record in found:
            print(json.dumps(record))
    else:
        printing.show(printing.table(_COLUMNS, map(_row, found), "no records of such a kind"))
    return 0


def _chosen(options: argparse.Namespace, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for record in records:
        about = record.get("objectRef") or {}
        if options.refused and record["annotations"]["authorization.k8s.io/decision"] != "forbid":
            continue
        if options.namespace and about.get("namespace") != options.namespace:
            continue
        if options.resource and about.get("resource") != options.resource:
            continue
        if options.user and options.user not in _users(record):
            continue
        yield record


def _users(record: dict[str, Any]) -> tuple[str, ...]:
    """Who did it, and as whom."""
    names = (str((record.get(part) or {}).get("username") or "") for part in ("user", "impersonatedUser"))
    return tuple(filter(None, names))


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    status = record["responseStatus"]
    answer = f"{status['code']} {status.get('reason', '')}".strip()
    when = printing.moment(record["stageTimestamp"])
    return when, " as ".join(_users(record)) or "a stranger", record["verb"], _about(record), answer


def _about(record: dict[str, Any]) -> str:
    about = record.get("objectRef")
    if not about:
        return str(record["requestURI"])
    whole = "/".join(filter(None, (about["resource"], about.get("subresource"))))
    named = "/".join(filter(None, (about.get("namespace"), about.get("name"))))
    return f"{whole} {named}".strip()
