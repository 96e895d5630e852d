"""Events as rows of a file: JSON, CSV, or Parquet where its package is. The columns are those of KServe's agent. Pure.

A body is written in base64, because it may be anything.
"""

from __future__ import annotations

import base64
import csv
import importlib
import io
import json
from collections.abc import Callable
from typing import Any

from fairway.serving.inpod.sidecar import events
from fairway.serving.inpod.sidecar.events import Source
from fairway.serving.inpod.sidecar.journal import Event

Rows = list[dict[str, Any]]


class UnknownFormat(Exception):
    """The text is a sentence that says what to choose."""


def rows(batch: list[Event], source: Source, url: str) -> Rows:
    return [_row(event, source, url) for event in batch]


def writer(name: str) -> Callable[[Rows], bytes]:
    """Raises UnknownFormat."""
    if name == "json":
        return _json
    if name == "csv":
        return _csv
    if name == "parquet":
        return _parquet_writer()
    raise UnknownFormat(f"Records cannot be written as {name!r}; choose json, csv or parquet.")


def _row(event: Event, source: Source, url: str) -> dict[str, Any]:
    return {
        "url": url,
        "bytes": base64.b64encode(event.data).decode(),
        "contentType": event.content_type,
        "reqType": event.type,
        "id": event.id,
        "sourceUri": source.uri,
        "inferenceService": source.service,
        "namespace": source.namespace,
        "component": source.component,
        "endpoint": source.endpoint,
        "metadata": event.metadata,
        "annotations": dict(source.annotations or {}),
        "certName": "",
        "tlsSkipVerify": False,
        "occurrenceTime": events.timestamp(event.time),
        "statusCode": event.status,
    }


def _json(batch: Rows) -> bytes:
    """A single record is an object, several are a list, as upstream writes them."""
    return json.dumps(batch[0] if len(batch) == 1 else batch).encode()


def _csv(batch: Rows) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(batch[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(map(_flat, batch))
    return text.getvalue().encode()


def _parquet_writer() -> Callable[[Rows], bytes]:
    try:
        pa, pq = (importlib.import_module(name) for name in ("pyarrow", "pyarrow.parquet"))
    except ImportError:
        text = "Records as parquet need the package pyarrow, which is not installed here: install it, or choose json."
        raise UnknownFormat(text) from None

    def write(batch: Rows) -> bytes:
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist([_flat(row) for row in batch]), sink)
        return bytes(sink.getvalue())

    return write


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """What is an object inside is written as JSON, what is true or false in lower case."""
    flat = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in row.items()}
    flat["tlsSkipVerify"] = str(flat["tlsSkipVerify"]).lower()
    return flat
