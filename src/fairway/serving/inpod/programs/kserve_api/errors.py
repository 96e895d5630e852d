"""The exceptions that programs raise and catch, by the names that KServe gave them; `status` is what each becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ModelMissingError(Exception):
    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"There is no model at {self.path}."


class InferenceError(RuntimeError):
    """The model failed, through no fault of the request."""

    def __init__(self, reason: str, status: str | None = None, debug_details: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.status, self.debug_details = reason, status, debug_details

    def __str__(self) -> str:
        return f"[{self.status}] {self.reason}" if self.status else self.reason


class InvalidInput(ValueError):
    """The request is wrong: 400."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class ModelNotFound(Exception):
    """404."""

    def __init__(self, model_name: str | None = None) -> None:
        super().__init__(model_name)
        self.reason = f"Model with name {model_name} does not exist."  # KServe's own words, which clients match

    def __str__(self) -> str:
        return self.reason


class WorkersShouldBeLessThanMaxWorkersError(Exception):
    def __init__(self, max_workers: int | None = None) -> None:
        super().__init__(max_workers)
        self.reason = f"There may be no more than {max_workers} workers."

    def __str__(self) -> str:
        return self.reason


class _NotNow(RuntimeError):
    """503."""

    def __init__(self, sentence: str, detail: str | None) -> None:
        self.error_msg = f"{sentence} {detail}" if detail else sentence
        super().__init__(self.error_msg)

    def __str__(self) -> str:
        return self.error_msg


class ModelNotReady(_NotNow):
    def __init__(self, model_name: str, detail: str | None = None) -> None:
        super().__init__(f"Model with name {model_name} is not ready.", detail)
        self.model_name = model_name


class ServerNotReady(_NotNow):
    def __init__(self, detail: str | None = None) -> None:
        super().__init__("Server is not ready.", detail)


class ServerNotLive(_NotNow):
    def __init__(self, detail: str | None = None) -> None:
        super().__init__("Server is not live.", detail)


class NoModelReady(_NotNow):
    def __init__(self, models: Sequence[Any], detail: str | None = None) -> None:
        names = ", ".join(str(getattr(model, "name", model)) for model in models)
        super().__init__(f"Models with name {names} are not ready.", detail)
        self.models = models


class UnsupportedProtocol(Exception):
    """501."""

    def __init__(self, protocol_version: str | None = None) -> None:
        super().__init__(protocol_version)
        self.reason = f"Unsupported protocol {protocol_version}."

    def __str__(self) -> str:
        return self.reason
