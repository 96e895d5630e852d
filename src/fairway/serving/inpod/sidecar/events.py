"""Events as KServe's agent sends them: CloudEvents in binary mode, one POST each. Pure but for the time of sending.

Beyond upstream: an answer is told whatever its status, with the status in the extension `statuscode`; its content
type is its own; a body that was cut says `truncated`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from fairway.serving.inpod.sidecar.journal import Event

_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "\"%'") + " "


@dataclass(frozen=True, slots=True)
class Source:
    """Who speaks: the pod, the service and its part."""

    uri: str
    service: str = ""
    namespace: str = ""
    component: str = ""
    endpoint: str = ""
    annotations: Mapping[str, str] | None = None


def headers(event: Event, source: Source, recorded: datetime) -> dict[str, str]:
    """The headers of the POST whose body is the event's data."""
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "type": event.type,
        "source": source.uri,
        "time": timestamp(event.time),
        "recordedtime": timestamp(recorded),
        "inferenceservicename": source.service,
        "namespace": source.namespace,
        "component": source.component,
        "endpoint": source.endpoint,
        "metadata": json.dumps(event.metadata, separators=(",", ":")),
    }
    if source.annotations:
        attributes["annotations"] = json.dumps(source.annotations, separators=(",", ":"))
    if event.status:
        attributes["statuscode"] = str(event.status)
    if event.cut:
        attributes["truncated"] = "true"
    # As the HTTP binding asks: what is not printable, and the quote and percent signs, are percent-encoded.
    wire = {f"ce-{name}": quote(value, safe=_PLAIN) for name, value in attributes.items()}
    wire["content-type"] = event.content_type or "application/json"
    if event.encoding:
        wire["content-encoding"] = event.encoding
    return wire


def timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
