"""What whoever runs the platform may set about pipelines: the table [pipelines] of config.toml."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass

from fairway.kernel.settings import Settings, SettingsError
from fairway.pipelines.ir.values import duration


@dataclass(frozen=True)
class PipelinesSettings(Settings):
    """How pipelines run where they do not say it themselves."""

    cron_time_zone: str = "UTC"
    """Time zone of the schedules that name none, such as Europe/Berlin."""
    cache_max_age: str = ""
    """How long a finished step counts for the cache: 12h, 7d. Nothing: for ever."""
    cache_by: str = "id"
    """Whether the artifacts that a step is given count for the cache by their "id" or by their "content"."""
    kept_pods: int = 2000
    """How many pods of finished steps stay in the cluster; the oldest beyond that go, and their logs are kept."""
    keep_runs_days: int = 0
    """How long runs stay once they are over; then they are deleted, with the artifacts that nothing else uses.
    0 for ever."""
    smtp_host: str = ""
    """The mail server that notices go through. Nothing: none can be sent."""
    smtp_port: int = 587
    smtp_security: str = "starttls"
    """starttls, tls, or none."""
    smtp_user: str = ""
    smtp_password_file: str = ""
    """A file with the password of that user."""
    smtp_from: str = ""
    """The sender's address."""
    notices_to_private_addresses: bool = False
    """Whether notices that a workload asked for may go to loopback and private addresses. The owner's may anyway."""
    watched_paths: tuple[str, ...] = ()
    """Folders, besides the artifacts, in which triggers may look at files."""

    def __post_init__(self) -> None:
        try:
            if self.cron_time_zone != "UTC":  # which a machine without time zone data has too
                zoneinfo.ZoneInfo(self.cron_time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise SettingsError(f"cron_time_zone: there is no time zone {self.cron_time_zone!r}") from None
        try:
            duration(self.cache_max_age or "0")
        except ValueError as wrong:
            raise SettingsError(f"cache_max_age: {wrong}") from None
        for name, value in (("kept_pods", self.kept_pods), ("keep_runs_days", self.keep_runs_days)):
            if value < 0:
                raise SettingsError(f"{name} is {value}, and must not be below 0")
        relative = [path for path in self.watched_paths if not path.startswith("/")]
        if relative:
            raise SettingsError(f"watched_paths: {relative[0]!r} must be the whole path of a folder")
        _one_of("cache_by", self.cache_by, "id", "content")
        _one_of("smtp_security", self.smtp_security, "starttls", "tls", "none")

    @property
    def cache_seconds(self) -> float:
        """`cache_max_age` in seconds; 0 for ever."""
        return duration(self.cache_max_age or "0")


def _one_of(name: str, value: str, *known: str) -> None:
    if value not in known:
        raise SettingsError(f"{name} is {value!r}, and must be one of {', '.join(known)}")
