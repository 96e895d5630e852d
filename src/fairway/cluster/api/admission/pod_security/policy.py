"""The labels of a namespace as a policy: the level to enforce, and those to write down and to warn of.

What cannot be read is enforced as strictly as can be, and neither written down nor warned of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fairway.cluster.api.admission.pod_security.standards import LATEST, LEVELS, PRIVILEGED, RESTRICTED
from fairway.cluster.api.checks import causes
from fairway.kernel.objects.errors import Cause

PREFIX = "pod-security.kubernetes.io/"
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Level:
    name: str = PRIVILEGED
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def minor(self) -> int:
        return LATEST if self.version == "latest" else int(self.version.partition(".")[2])

    @property
    def strictness(self) -> int:
        return LEVELS.index(self.name)


@dataclass(frozen=True, slots=True)
class Policy:
    enforce: Level = Level()
    audit: Level = Level()
    warn: Level = Level()


def read(labels: Mapping[str, str]) -> tuple[Policy, list[Cause]]:
    """The policy, and what is wrong with the labels."""
    wrong: list[Cause] = []
    levels = {mode: _level(labels, mode, wrong) for mode in ("enforce", "audit", "warn")}
    enforced = levels["enforce"]
    is_said = labels.get(f"{PREFIX}enforce") in LEVELS
    if f"{PREFIX}warn" not in labels and is_said and enforced.strictness > levels["warn"].strictness:
        # Templates are never refused: a warning is how their users hear of it.
        version = levels["warn"].version if f"{PREFIX}warn-version" in labels else enforced.version
        levels["warn"] = Level(enforced.name, version)
    return Policy(**levels), wrong


def _level(labels: Mapping[str, str], mode: str, wrong: list[Cause]) -> Level:
    name, version = labels.get(f"{PREFIX}{mode}", PRIVILEGED), labels.get(f"{PREFIX}{mode}-version", "latest")
    if name not in LEVELS:
        wrong.append(_invalid(mode, name, f"must be one of {', '.join(LEVELS)}"))
        name = RESTRICTED if mode == "enforce" else PRIVILEGED
    if version != "latest" and not _VERSION.fullmatch(version):
        wrong.append(_invalid(f"{mode}-version", version, 'must be "latest" or "v1.x"'))
        version = "latest"
    return Level(name, version)


def _invalid(label: str, value: str, why: str) -> Cause:
    return causes.invalid(f"metadata.labels[{PREFIX}{label}]", value, why)
