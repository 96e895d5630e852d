"""What can be set of serving, in the file, the environment (FAIRWAY_DOMAIN) or by flags."""

from __future__ import annotations

from dataclasses import dataclass

from fairway.kernel.settings import Settings


@dataclass(frozen=True)
class ServingSettings(Settings):
    domain: str = "example.com"
    """Services answer at {name}-{namespace}.{domain} and {name}.{namespace}.{domain}. KServe's own default."""
