"""What a pod's securityContext asks for of one container: the container's own words before the pod's. Pure.

A container engine keeps it; a process runs as the user who runs Fairway whatever it says, which the Node's annotations
tell. What neither can keep is listed by its name.
"""

from __future__ import annotations

import os
from typing import Any

from fairway.cluster.node.runtime import Security
from fairway.kernel.objects.kinds import Object

_FINE = {"seccompProfile": ("RuntimeDefault", "Unconfined"), "appArmorProfile": ("RuntimeDefault", "Unconfined")}
"""Profiles by field; others are files of a node."""
_NEVER = ("seLinuxOptions", "windowsOptions", "sysctls")


def of(pod: Object, container: Object) -> Security:
    whole: dict[str, Any] = pod["spec"].get("securityContext") or {}
    own: dict[str, Any] = container.get("securityContext") or {}
    asked = {**whole, **own}
    capabilities = own.get("capabilities") or {}
    groups = [*(whole.get("supplementalGroups") or ()), *([whole["fsGroup"]] if "fsGroup" in whole else ())]
    return Security(
        user=asked.get("runAsUser"),
        group=asked.get("runAsGroup"),
        groups=tuple(dict.fromkeys(groups)),
        not_root=bool(asked.get("runAsNonRoot")),
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        privileged=bool(own.get("privileged")),
        no_new_privileges=own.get("allowPrivilegeEscalation") is False,
        add=tuple(capabilities.get("add") or ()),
        drop=tuple(capabilities.get("drop") or ()),
        unconfined=(asked.get("seccompProfile") or {}).get("type") == "Unconfined",
        refused=tuple(_refused(asked)),
    )


def lost_on_a_process(wanted: Security) -> list[str]:
    """What of it a process does not keep: it runs as whoever runs Fairway, and sees this machine's files."""
    asked = {
        "runAsUser": wanted.user not in (None, os.geteuid()),
        "runAsGroup": wanted.group not in (None, os.getegid()),
        "fsGroup, supplementalGroups": bool(wanted.groups),
        "runAsNonRoot": wanted.not_root and os.geteuid() == 0,
        "readOnlyRootFilesystem": wanted.read_only_root,
        "capabilities": bool(wanted.add or wanted.drop),
    }
    return [*(name for name, lost in asked.items() if lost), *wanted.refused]


def _refused(asked: dict[str, Any]) -> list[str]:
    found = [field for field in _NEVER if asked.get(field)]
    for field, types in _FINE.items():
        kind = (asked.get(field) or {}).get("type")
        if kind and kind not in types:
            found.append(f"{field} {kind}")
    if asked.get("procMount") not in (None, "Default"):
        found.append(f"procMount {asked['procMount']}")
    if asked.get("supplementalGroupsPolicy") not in (None, "Merge"):
        found.append(f"supplementalGroupsPolicy {asked['supplementalGroupsPolicy']}")
    return found
