"""The one error tree, with Kubernetes' own reasons.

ApiError
├── BadRequest 400   ├── Unauthorized 401      ├── Forbidden 403      ├── NotFound 404
├── MethodNotAllowed 405  ├── NotAcceptable 406 ├── AlreadyExists 409 ├── Conflict 409
├── Expired 410      ├── TooLarge 413          ├── UnsupportedMediaType 415
├── Invalid 422      ├── TooManyRequests 429   ├── InternalError 500  ├── Unavailable 503
└── Timeout 504

The middle of the house raises and catches these; only edges see a status code. The texts are upstream's,
because clients and people match them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong: `field` is a path such as spec.replicas, `reason` upstream's word for it."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def wire(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """An answer that is not success. `details` is the wire form of Status.details."""

    code: int = 500
    reason: str = "InternalError"

    def __init__(self, message: str, *, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}

    def status(self) -> dict[str, Any]:
        """The wire form: a Status object."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        # In upstream's order, as there are clients that compare the text.
        return body | ({"details": self.details} if self.details else {}) | {"code": self.code}


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    code, reason = 401, "Unauthorized"


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    code, reason = 404, "NotFound"


class MethodNotAllowed(ApiError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    code, reason = 406, "NotAcceptable"


class AlreadyExists(ApiError):
    code, reason = 409, "AlreadyExists"


class Conflict(ApiError):
    code, reason = 409, "Conflict"


class Expired(ApiError):
    code, reason = 410, "Expired"


class TooLarge(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    code, reason = 422, "Invalid"


class TooManyRequests(ApiError):
    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    code, reason = 500, "InternalError"


class Unavailable(ApiError):
    code, reason = 503, "ServiceUnavailable"


class Timeout(ApiError):
    code, reason = 504, "Timeout"


_BY_REASON: dict[str, type[ApiError]] = {kind.reason: kind for kind in ApiError.__subclasses__()}
_BY_CODE: dict[int, type[ApiError]] = {
    kind.code: kind for kind in ApiError.__subclasses__() if kind is not AlreadyExists
}


def from_status(status: dict[str, Any]) -> ApiError:
    """The error that a Status object describes, whoever sent it."""
    kind = _BY_REASON.get(status.get("reason") or "") or _BY_CODE.get(status.get("code") or 500, InternalError)
    error = kind(status.get("message") or kind.reason, details=status.get("details"))
    # What others made up is passed on as it is.
    error.code, error.reason = status.get("code") or kind.code, status.get("reason", kind.reason)
    return error


def not_found(resource: str, name: str) -> NotFound:
    """`resource` is plural.group, as in deployments.apps."""
    return NotFound(f'{resource} "{name}" not found', details=_details(resource, name))


def already_exists(resource: str, name: str) -> AlreadyExists:
    return AlreadyExists(f'{resource} "{name}" already exists', details=_details(resource, name))


def forbidden(resource: str, name: str, why: str) -> Forbidden:
    return Forbidden(f'{resource} "{name}" is forbidden: {why}', details=_details(resource, name))


def conflict(resource: str, name: str, why: str | None = None) -> Conflict:
    why = why or ("the object has been modified; please apply your changes to the latest version and try again")
    return Conflict(f'Operation cannot be fulfilled on {resource} "{name}": {why}', details=_details(resource, name))


def invalid(kind: str, group: str, name: str, causes: Iterable[Cause]) -> Invalid:
    """`kind` is the CamelCase kind, as upstream's text has it: Pod "x" is invalid: spec.y: ..."""
    causes = list(causes)
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    text = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    qualified = f"{kind}.{group}" if group else kind
    details: dict[str, Any] = {"name": name, "group": group, "kind": kind, "causes": [each.wire() for each in causes]}
    details = {key: value for key, value in details.items() if value or key == "causes"}
    return Invalid(f'{qualified} "{name}" is invalid: {text}', details=details)


def _details(resource: str, name: str) -> dict[str, Any]:
    plural, _, group = resource.partition(".")
    return {"name": name, **({"group": group} if group else {}), "kind": plural}
