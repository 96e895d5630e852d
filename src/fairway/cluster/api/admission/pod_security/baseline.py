"""The checks of the level baseline: what would let a pod out onto its machine. `minor` is the version of the rules."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from fairway.cluster.api.admission.pod_security.subject import Finding, Subject, context, listed, quoted, uses
from fairway.kernel.objects.kinds import Object

_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_OF_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_USUAL_CAPABILITIES = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
_SELINUX_TYPES = ("container_t", "container_init_t", "container_kvm_t")
_SYSCTLS = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
}
"""Those that concern the pod alone, each with the version that said so."""


def app_armor(pod: Subject, minor: int) -> Finding | None:
    def bad(context: Object) -> str:
        profile = context.get("appArmorProfile")
        kind = str((profile or {}).get("type") or "")
        return kind if profile and kind not in ("RuntimeDefault", "Localhost") else ""

    noted = sorted(
        f'{key}="{value}"'
        for key, value in pod.annotations.items()
        if key.startswith(_APPARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/")
    )
    setters = [text for text in (pod.setters(bad),) if text]
    if noted:
        setters.append("annotation" if len(noted) == 1 else "annotations")
    values = [*pod.values(bad), *noted]
    if not setters:
        return None
    reason = "forbidden AppArmor profile" if len(values) == 1 else "forbidden AppArmor profiles"
    return Finding(reason, f"{' and '.join(setters)} must not set AppArmor profile type to {quoted(values)}")


def capabilities(pod: Subject, minor: int) -> Finding | None:
    def bad(context: Object) -> set[str]:
        return set((context.get("capabilities") or {}).get("add") or ()) - _USUAL_CAPABILITIES

    if named := pod.named(bad):
        added = sorted(set().union(*(bad(context(each)) for each in pod.containers)))
        detail = f"{listed('container', named)} must not include {quoted(added)} in securityContext.capabilities.add"
        return Finding("non-default capabilities", detail)
    return None


def host_namespaces(pod: Subject, minor: int) -> Finding | None:
    shared = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(field)]
    return Finding("host namespaces", ", ".join(shared)) if shared else None


def host_path_volumes(pod: Subject, minor: int) -> Finding | None:
    named = [str(volume.get("name")) for volume in pod.spec.get("volumes") or () if volume.get("hostPath") is not None]
    return Finding("hostPath volumes", listed("volume", named)) if named else None


def host_ports(pod: Subject, minor: int) -> Finding | None:
    opened = {
        str(each.get("name")): {str(port["hostPort"]) for port in each.get("ports") or () if port.get("hostPort")}
        for each in pod.containers
    }
    named = [name for name, ports in opened.items() if ports]
    if not named:
        return None
    ports = sorted(set().union(*opened.values()))
    word = "hostPort" if len(ports) == 1 else "hostPorts"
    return Finding("hostPort", f"{listed('container', named)} {uses(named)} {word} {', '.join(ports)}")


def host_probes(pod: Subject, minor: int) -> Finding | None:
    asked = {str(each.get("name")): set(_hosts(each)) for each in pod.containers}
    named = sorted(name for name, hosts in asked.items() if hosts)
    if not named:
        return None
    hosts = listed("probe or lifecycle host", sorted(set().union(*asked.values())))
    return Finding("probe or lifecycle host", f"{listed('container', named)} {uses(named)} {hosts}")


def _hosts(container: Object) -> Iterator[str]:
    lifecycle = container.get("lifecycle") or {}
    askers = [container.get(name) for name in ("livenessProbe", "readinessProbe", "startupProbe")]
    for asker in (*askers, lifecycle.get("postStart"), lifecycle.get("preStop")):
        for kind in ("httpGet", "tcpSocket"):
            if host := ((asker or {}).get(kind) or {}).get("host"):
                yield str(host)


def privileged(pod: Subject, minor: int) -> Finding | None:
    named = pod.named(lambda context: context.get("privileged"))
    detail = f"{listed('container', named)} must not set securityContext.privileged=true"
    return Finding("privileged", detail) if named else None


def proc_mount(pod: Subject, minor: int) -> Finding | None:
    return None if minor >= 35 and pod.own_users else any_proc_mount(pod, minor)


def any_proc_mount(pod: Subject, minor: int) -> Finding | None:
    def bad(context: Object) -> str:
        return str(context["procMount"]) if context.get("procMount") not in (None, "Default") else ""

    named = pod.named(bad)
    detail = f"{listed('container', named)} must not set securityContext.procMount to {quoted(pod.values(bad))}"
    return Finding("procMount", detail) if named else None


def selinux(pod: Subject, minor: int) -> Finding | None:
    allowed = ("", *_SELINUX_TYPES, *(("container_engine_t",) if minor >= 31 else ()))

    def bad_type(context: Object) -> str:
        kind = str((context.get("seLinuxOptions") or {}).get("type") or "")
        return "" if kind in allowed else kind

    def set_part(part: str, context: Object) -> bool:
        return bool((context.get("seLinuxOptions") or {}).get(part))

    def bad(context: Object) -> bool:
        return bool(bad_type(context)) or set_part("user", context) or set_part("role", context)

    setters = pod.setters(bad)
    if not setters:
        return None
    types = pod.values(bad_type)
    data = [listed("type", types)] if types else []
    for part in ("user", "role"):
        if pod.setters(partial(set_part, part)):
            data.append(f"{part} may not be set")
    detail = f"{setters} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}"
    return Finding("seLinuxOptions", detail)


def seccomp(pod: Subject, minor: int) -> Finding | None:
    if minor < 19:
        return _seccomp_annotations(pod)
    setters = pod.setters(bad_seccomp)
    detail = f"{setters} must not set securityContext.seccompProfile.type to {quoted(pod.values(bad_seccomp))}"
    return Finding("seccompProfile", detail) if setters else None


def bad_seccomp(context: Object) -> str:
    profile = context.get("seccompProfile")
    kind = str((profile or {}).get("type") or "")
    return kind if profile and kind not in ("RuntimeDefault", "Localhost") else ""


def _seccomp_annotations(pod: Subject) -> Finding | None:
    keys = [_SECCOMP, *(f"{_SECCOMP_OF_CONTAINER}{each.get('name')}" for each in pod.containers)]
    noted = sorted(
        f'{key}="{value}"'
        for key in keys
        if (value := pod.annotations.get(key)) is not None
        and value not in ("runtime/default", "docker/default")
        and not value.startswith("localhost/")
    )
    word = "annotation" if len(noted) == 1 else "annotations"
    return Finding("seccompProfile", f"forbidden {word} {', '.join(noted)}") if noted else None


def sysctls(pod: Subject, minor: int) -> Finding | None:
    wanted = [str(each.get("name")) for each in (pod.spec.get("securityContext") or {}).get("sysctls") or ()]
    forbidden = [name for name in wanted if _SYSCTLS.get(name, minor + 1) > minor]
    return Finding("forbidden sysctls", ", ".join(forbidden)) if forbidden else None


def host_process(pod: Subject, minor: int) -> Finding | None:
    setters = pod.setters(lambda context: (context.get("windowsOptions") or {}).get("hostProcess"))
    detail = f"{setters} must not set securityContext.windowsOptions.hostProcess=true"
    return Finding("hostProcess", detail) if setters else None
