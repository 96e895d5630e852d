"""The checks of the level restricted: a pod has to give up what it does not need. `minor` is the rules' version."""

from __future__ import annotations

from fairway.cluster.api.admission.pod_security import baseline
from fairway.cluster.api.admission.pod_security.subject import Finding, Subject, context, listed, quoted, uses
from fairway.kernel.objects.kinds import Object

_VOLUMES = frozenset(
    (
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image"),
        *("persistentVolumeClaim", "projected", "secret"),
    )
)


def _exempt(pod: Subject, minor: int) -> bool:
    """On Windows these fields mean nothing, and may not be set."""
    return minor >= 25 and pod.windows


def privilege_escalation(pod: Subject, minor: int) -> Finding | None:
    if _exempt(pod, minor):
        return None
    named = pod.named(lambda context: context.get("allowPrivilegeEscalation") is not False)
    detail = f"{listed('container', named)} must set securityContext.allowPrivilegeEscalation=false"
    return Finding("allowPrivilegeEscalation != false", detail) if named else None


def capabilities(pod: Subject, minor: int) -> Finding | None:
    if _exempt(pod, minor):
        return None

    def kept(context: Object) -> bool:
        return "ALL" not in ((context.get("capabilities") or {}).get("drop") or ())

    def added(context: Object) -> set[str]:
        return set((context.get("capabilities") or {}).get("add") or ()) - {"NET_BIND_SERVICE"}

    details = []
    if named := pod.named(kept):
        details.append(f'{listed("container", named)} must set securityContext.capabilities.drop=["ALL"]')
    if named := pod.named(added):
        names = sorted(set().union(*(added(context(each)) for each in pod.containers)))
        details.append(
            f"{listed('container', named)} must not include {quoted(names)} in securityContext.capabilities.add"
        )
    return Finding("unrestricted capabilities", "; ".join(details)) if details else None


def volumes(pod: Subject, minor: int) -> Finding | None:
    found: dict[str, str] = {}
    for volume in pod.spec.get("volumes") or ():
        kinds = [key for key, value in volume.items() if key != "name" and value is not None]
        if not _VOLUMES.intersection(kinds):
            found[str(volume.get("name"))] = kinds[0] if kinds else "unknown"
    if not found:
        return None
    named, types = list(found), sorted(set(found.values()))
    detail = f"{listed('volume', named)} {uses(named)} {listed('restricted volume type', types)}"
    return Finding("restricted volume types", detail)


def run_as_non_root(pod: Subject, minor: int) -> Finding | None:
    if minor >= 35 and pod.own_users:
        return None
    reason = "runAsNonRoot != true"
    if setters := pod.setters(lambda context: context.get("runAsNonRoot") is False):
        return Finding(reason, f"{setters} must not set securityContext.runAsNonRoot=false")
    if context(pod.spec).get("runAsNonRoot"):
        return None
    named = pod.named(lambda context: context.get("runAsNonRoot") is None)
    detail = f"pod or {listed('container', named)} must set securityContext.runAsNonRoot=true"
    return Finding(reason, detail) if named else None


def run_as_user(pod: Subject, minor: int) -> Finding | None:
    if minor >= 35 and pod.own_users:
        return None
    setters = pod.setters(lambda context: context.get("runAsUser") == 0)
    return Finding("runAsUser=0", f"{setters} must not set runAsUser=0") if setters else None


def seccomp(pod: Subject, minor: int) -> Finding | None:
    if _exempt(pod, minor):
        return None
    if wrong := baseline.seccomp(pod, minor):
        return wrong
    if context(pod.spec).get("seccompProfile"):
        return None
    named = pod.named(lambda context: not context.get("seccompProfile"))
    wanted = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Finding("seccompProfile", f"pod or {listed('container', named)} {wanted}") if named else None
