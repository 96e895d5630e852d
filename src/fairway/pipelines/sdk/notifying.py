"""Notices: who is told when a run fails, succeeds, is late, is canceled, or asks a person: by webhook or e-mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fairway.pipelines.sdk import finding, recurring, templating
from fairway.pipelines.sdk.connecting import connect
from fairway.pipelines.sdk.failures import Failure
from fairway.pipelines.sdk.wire import Api

_LONGEST_NAME = 128


@dataclass(frozen=True, slots=True)
class Notice:
    """One rule."""

    api: Api = field(repr=False)
    id: str

    def record(self) -> dict[str, Any]:
        return self.api.get(f"notices/{self.id}")

    def test(self) -> dict[str, Any]:
        """Send one now, and say how it went."""
        return self.api.post(f"notices/{self.id}:test")

    def deliveries(self) -> list[dict[str, Any]]:
        """What was sent, and how it went."""
        return list(self.api.pages(f"notices/{self.id}/deliveries", "deliveries"))

    def enable(self) -> None:
        """What happened while it was disabled is not told."""
        self.api.post(f"notices/{self.id}:enable")

    def disable(self) -> None:
        self.api.post(f"notices/{self.id}:disable")

    def edit(self, **fields: Any) -> None:
        """Change fields of the message, such as events or webhook."""
        self.api.patch(f"notices/{self.id}", fields)

    def delete(self) -> None:
        self.api.delete(f"notices/{self.id}")


def notify(
    *,
    on: Sequence[str] = ("FAILED",),
    webhook: str = "",
    email: Sequence[str] = (),
    secret: str = "",
    pipeline: str = "",
    experiment: str = "",
    schedule: str = "",
    name: str = "",
    server: Api | None = None,
) -> Notice:
    """Tell a webhook or people of runs: `on` is of FAILED, SUCCEEDED, CANCELED, LATE, APPROVAL.

    `pipeline`, `experiment` and `schedule` narrow it down by name. `secret` is the name of a Secret, or NAME/KEY, that
    calls of the webhook are signed with. E-mail needs the settings smtp_* of the platform. Raises Failure.
    """
    if bool(webhook) == bool(email):
        raise Failure("a notice goes either to a webhook's address or to e-mail addresses")
    api = server or connect()
    only: dict[str, Any] = {}
    if pipeline:
        only["pipeline_name"] = pipeline
    if experiment:
        only["experiment_id"] = templating.experiment_id(api, experiment, make=False)
    if schedule:
        only["recurring_run_id"] = recurring.find_schedule(schedule, server=api).id
    events = [on.upper()] if isinstance(on, str) else [event.upper() for event in on]
    body: dict[str, Any] = {"display_name": name or _title(events, webhook, email), "events": events}
    if only:
        body["only"] = only
    if webhook:
        secret_name, _, key = secret.partition("/")
        signing = {"secret_name": secret_name, **({"secret_key": key} if key else {})} if secret else {}
        body["webhook"] = {"url": webhook, **signing}
    else:
        body["email"] = {"to": list(email)}
    return Notice(api, api.post("notices", body)["notice_id"])


def notices(*, server: Api | None = None) -> list[Notice]:
    """All of them, newest first."""
    api = server or connect()
    return [Notice(api, each["notice_id"]) for each in finding.newest(api, finding.NOTICE)]


def find_notice(asked: str, *, server: Api | None = None) -> Notice:
    """A rule by its id, or by a name that only one has. Raises NotThere."""
    api = server or connect()
    return Notice(api, finding.one(api, finding.NOTICE, asked)["notice_id"])


def _title(events: Sequence[str], webhook: str, email: Sequence[str]) -> str:
    """Of an address the host only: the rest may be a secret, and a name is shown and sent around."""
    words = [event.lower() for event in events]
    whom = webhook.partition("://")[2].partition("/")[0].partition("?")[0] if webhook else ", ".join(email)
    return f"{', '.join(words)} to {whom}"[:_LONGEST_NAME]
