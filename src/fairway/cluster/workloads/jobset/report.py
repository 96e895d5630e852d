"""The status that a JobSet is about to have, and the events that tell of it. Pure: it is written by the controller.

A condition that is not there is added only when it is true, and each change of one is an event, as upstream's.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import Object

_EXCLUSIVE = {
    "StartupPolicyInProgress": "StartupPolicyCompleted",
    "StartupPolicyCompleted": "StartupPolicyInProgress",
}


@dataclass
class Report:
    status: Object
    now: str
    events: list[tuple[str, str, str]] = field(default_factory=list)
    """(type, reason, message), told once the status is stored."""

    @classmethod
    def of(cls, jobset: Object, now: str) -> Report:
        return cls({"restarts": 0, **copy.deepcopy(jobset.get("status") or {})}, now)

    def say(self, type_: str, status: bool, reason: str, message: str, *, warning: bool = False) -> None:
        said = conditions.find({"status": self.status}, type_)
        if said is None and not status:
            return
        if said is not None and (said["status"], said.get("reason"), said.get("message")) == (
            str(status),
            reason,
            message,
        ):
            return
        wanted: list[tuple[str, bool | None, str, str]] = [(type_, status, reason, message)]
        other = conditions.find({"status": self.status}, _EXCLUSIVE.get(type_, ""))
        if status and other is not None and other["status"] == "True":
            wanted.append((other["type"], False, other.get("reason", ""), other.get("message", "")))
        self.status["conditions"] = conditions.merged(self.status.get("conditions"), self.now, *wanted)
        self.tell(reason, message, warning=warning)

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        event = ("Warning" if warning else "Normal", reason, message)
        if event not in self.events:
            self.events.append(event)

    def completed(self) -> None:
        text = "jobset completed successfully"
        self.say("Completed", True, "AllJobsCompleted", text)
        self.say("RestartingJobSet", False, "JobSetCompleted", text)
        self.status["terminalState"] = "Completed"

    def failed(self, reason: str, message: str) -> None:
        self.say("Failed", True, reason, message, warning=True)
        self.say("RestartingJobSet", False, "JobSetFailed", "jobset failed")
        self.status["terminalState"] = "Failed"

    def suspended(self) -> None:
        self.say("Suspended", True, "SuspendedJobs", "jobset is suspended")
        self.say("RestartingJobSet", False, "JobSetSuspended", "jobset is suspended")

    def resumed(self) -> None:
        self.say("Suspended", False, "ResumeJobs", "jobset is resumed")

    def ready(self) -> None:
        self.say("RestartingJobSet", False, "JobsReady", "all jobs are ready")

    def starting(self) -> None:
        reason, message = "InOrderStartupPolicyInProgress", "in order startup policy is in progress"
        self.say("StartupPolicyInProgress", True, reason, message)

    def started(self) -> None:
        reason, message = "InOrderStartupPolicyCompleted", "in order startup policy has completed"
        self.say("StartupPolicyCompleted", True, reason, message)
