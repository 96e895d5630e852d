"""The levels of PodSecurity as a table of checks. A level of a version is the checks that held then.

Restricted has all checks of baseline but those that one of its own replaces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fairway.cluster.api.admission.pod_security import baseline, restricted
from fairway.cluster.api.admission.pod_security.subject import Finding, Subject

LATEST = 36
"""The minor version of the Kubernetes that this server speaks."""

PRIVILEGED, BASELINE, RESTRICTED = "privileged", "baseline", "restricted"
LEVELS = (PRIVILEGED, BASELINE, RESTRICTED)
"""From the loosest to the strictest."""

Judge = Callable[[Subject, int], Finding | None]


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    judge: Judge
    since: int = 0
    replaces: str = ""


# In the order in which upstream tells what is wrong.
_BASELINE = (
    Check("appArmorProfile", baseline.app_armor),
    Check("capabilities_baseline", baseline.capabilities),
    Check("hostNamespaces", baseline.host_namespaces),
    Check("hostPathVolumes", baseline.host_path_volumes),
    Check("hostPorts", baseline.host_ports),
    Check("hostProbesAndHostLifecycle", baseline.host_probes, since=34),
    Check("privileged", baseline.privileged),
    Check("procMount", baseline.proc_mount),
    Check("seLinuxOptions", baseline.selinux),
    Check("seccompProfile_baseline", baseline.seccomp),
    Check("sysctls", baseline.sysctls),
    Check("windowsHostProcess", baseline.host_process),
)
_RESTRICTED = (
    Check("allowPrivilegeEscalation", restricted.privilege_escalation, since=8),
    Check("capabilities_restricted", restricted.capabilities, since=22, replaces="capabilities_baseline"),
    Check("procMount_restricted", baseline.any_proc_mount, since=35, replaces="procMount"),
    Check("restrictedVolumes", restricted.volumes, replaces="hostPathVolumes"),
    Check("runAsNonRoot", restricted.run_as_non_root),
    Check("runAsUser", restricted.run_as_user, since=23),
    Check("seccompProfile_restricted", restricted.seccomp, since=19, replaces="seccompProfile_baseline"),
)


def findings(level: str, minor: int, pod: Subject) -> list[Finding]:
    """What is wrong with the pod at a level, as the rules of version 1.`minor` have it."""
    minor = min(minor, LATEST)
    return [found for check in _checks(level, minor) if (found := check.judge(pod, minor))]


def _checks(level: str, minor: int) -> list[Check]:
    if level == PRIVILEGED:
        return []
    lower = [check for check in _BASELINE if check.since <= minor]
    if level == BASELINE:
        return lower
    upper = [check for check in _RESTRICTED if check.since <= minor]
    replaced = {check.replaces for check in upper}
    return [*(check for check in lower if check.name not in replaced), *upper]
