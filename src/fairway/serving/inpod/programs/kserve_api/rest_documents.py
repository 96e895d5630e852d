"""The bodies of V2 over REST as values (`kserve.protocol.rest.v2_datamodels`), for programs that build them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class RequestInput:
    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: Any = None


@dataclass
class RequestOutput:
    name: str
    parameters: dict[str, Any] | None = None


@dataclass
class InferenceRequest:
    inputs: list[RequestInput]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestOutput] | None = None


@dataclass
class ResponseOutput:
    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: Any = None


@dataclass
class InferenceResponse:
    model_name: str
    id: str
    outputs: list[ResponseOutput]
    model_version: str | None = None
    parameters: dict[str, Any] | None = None
