"""CloudEvents on V1: a body that comes in an event is answered with one, in the same of the two modes.

Binary mode has the attributes in `ce-` headers and the data as the body; structured mode has one JSON object. The
environment may say the answer's type and source (CE_TYPE, CE_SOURCE), and that it keeps the other attributes of the
request (CE_MERGE), as for KServe's own server.
"""

from __future__ import annotations

import base64
import binascii
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from fairway.serving.inpod.messages import JSON, Answer, Refusal, Request, decode, encode

STRUCTURED = "application/cloudevents+json"
_REQUIRED = ("specversion", "id", "source", "type")
_MADE_ANEW = {"id", "time", "type", "source", "datacontenttype", "data", "data_base64", "specversion"}


@dataclass(frozen=True, slots=True)
class Event:
    """`attributes` without the data."""

    attributes: Mapping[str, Any]
    data: Any
    structured: bool

    def document(self) -> dict[str, Any]:
        """Raises Refusal."""
        if isinstance(self.data, bytes):
            return decode(self.data)
        if not isinstance(self.data, dict):
            raise Refusal(400, "The event's data is not a JSON object.")
        return self.data

    def answer(self, answer: Answer, model: str) -> Answer:
        attributes = self._attributes(model, answer.content_type)
        if not self.structured:
            headers = {f"ce-{name}": str(value) for name, value in attributes.items() if name != "datacontenttype"}
            return Answer(answer.status, answer.body, answer.content_type, {**answer.headers, **headers})
        data = orjson.Fragment(answer.body) if answer.content_type.startswith(JSON) else answer.body.decode("latin-1")
        return Answer(answer.status, encode({**attributes, "data": data}), STRUCTURED, answer.headers)

    def _attributes(self, model: str, content_type: str) -> dict[str, Any]:
        kept = {}
        if os.environ.get("CE_MERGE", "").lower() == "true":
            kept = {name: value for name, value in self.attributes.items() if name not in _MADE_ANEW}
        return {
            **kept,
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": os.environ.get("CE_SOURCE") or f"io.kserve.inference.{model}",
            "type": os.environ.get("CE_TYPE") or "io.kserve.inference.response",
            "time": datetime.now(UTC).isoformat(),
            "datacontenttype": content_type,
        }


def is_one(headers: Mapping[str, str]) -> bool:
    return "ce-specversion" in headers or headers.get("content-type", "").lower().startswith(STRUCTURED)


def read(request: Request) -> Event | None:
    """The event that the request is; None where it is none. Raises Refusal."""
    if not is_one(request.headers):
        return None
    if "ce-specversion" in request.headers:
        attributes = {name[3:]: value for name, value in request.headers.items() if name.startswith("ce-")}
        return Event(_complete(attributes), request.body, structured=False)
    document = decode(request.body)
    attributes = {name: value for name, value in document.items() if name not in ("data", "data_base64")}
    return Event(_complete(attributes), _data(document), structured=True)


def _complete(attributes: dict[str, Any]) -> dict[str, Any]:
    missing = [name for name in _REQUIRED if not attributes.get(name)]
    if missing:
        raise Refusal(400, f"The CloudEvent has no {', '.join(missing)}.")
    return attributes


def _data(document: Mapping[str, Any]) -> Any:
    if "data_base64" not in document:
        return document.get("data")
    try:
        return base64.b64decode(document["data_base64"], validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Refusal(400, "The CloudEvent's data_base64 is not base64.") from None
