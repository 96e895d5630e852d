"""From a container's spec to what an engine is told to create. Pure.

The network is the machine's: the pod's address is one of its loopback addresses, and the preloaded guard keeps the
program on it, as it does with processes. What the pod asks for and an engine cannot keep is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping

from fairway.cluster.node.engine.client import Engine
from fairway.cluster.node.runtime import CannotStart, ContainerSpec, Mount, Security

_IN_FILE = 32 * 1024
"""Bytes of a variable that is written to a file; engines read such files by lines that are not too long."""
_UNSAFE = ("LD_", "DOCKER_", "CONTAINER", "_CONTAINER", "BUILDAH_", "REGISTRY_", "STORAGE_", "XDG_", "GO")
"""Variables that would mean something to the engine itself."""


def create(
    engine: Engine,
    spec: ContainerSpec,
    *,
    name: str,
    labels: Mapping[str, str],
    image: str,
    env_file: str,
    inherited: Mapping[str, str],
    mounts: tuple[Mount, ...],
) -> list[str]:
    """The whole call after the engine's own command. `inherited` variables are taken from the caller's environment."""
    words = ["create", "--name", name, "--network", "host", "--pull", "never", "--no-healthcheck", *engine.options]
    for key, value in labels.items():
        words += ["--label", f"{key}={value}"]
    words += ["--env-file", env_file, *(word for key in inherited for word in ("--env", key))]
    for mount in mounts:
        words += ["--mount", _mount(mount)]
    if spec.input or spec.terminal:
        # What podman only passes on has neither.
        words += ["--log-driver", "none", *["--interactive"] * spec.input, *["--tty"] * spec.terminal]
    if spec.working_dir:
        words += ["--workdir", spec.working_dir]
    if engine.limits:
        words += _limits(spec)
    words += _security(spec.security)
    if spec.command:
        words += ["--entrypoint", _entrypoint(engine, spec.command[0])]
    return [*words, image, *spec.command[1:], *spec.args]


def variables(env: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The content of a file of variables, and those that such a file cannot hold. Neither is in an argument list."""
    held, inherited = [], {}
    for key, value in env.items():
        if "\n" in value or "\r" in value or len(value.encode()) > _IN_FILE:
            if key.startswith(_UNSAFE) or key in ("PATH", "HOME"):
                text = f"the variable {key} has several lines, and cannot be given to a container so: use another name"
                raise CannotStart("CreateContainerConfigError", text)
            inherited[key] = value
        else:
            held.append(f"{key}={value}\n")
    return "".join(held), inherited


def together(spec: ContainerSpec, *more: Mount) -> tuple[Mount, ...]:
    """All mounts of a container, the pod's own first: what it mounts somewhere is not covered by ours."""
    found: dict[str, Mount] = {}
    for mount in (*spec.mounts, *spec.own, *more):
        found.setdefault(mount.target, mount)
    return tuple(sorted(found.values(), key=lambda mount: mount.target.count("/")))


def check(spec: ContainerSpec, image_user: str) -> None:
    """Raises CannotStart for what an engine is not asked for, in the kubelet's words where it has some."""
    security = spec.security
    if security.refused:
        raise CannotStart(
            "SecurityContextNotSupported",
            f"securityContext: {', '.join(security.refused)} cannot be kept on this machine: leave it out, or connect "
            "a Kubernetes cluster with `fairway up --kubeconfig FILE`",
        )
    if spec.env.get("CUDA_VISIBLE_DEVICES"):
        raise CannotStart(
            "DeviceNotSupported",
            "GPUs are given to processes only: use an image of the catalogue, or leave nvidia.com/gpu out",
        )
    if security.not_root and security.user in (None, 0):
        user = image_user.partition(":")[0]
        if security.user == 0 or user in ("", "0", "root"):
            said = "container has runAsNonRoot and image will run as root"
        elif not user.isdigit():
            said = f"container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root"
        else:
            return
        raise CannotStart("CreateContainerConfigError", f"{said}: set securityContext.runAsUser")


def _mount(mount: Mount) -> str:
    parts = [
        "type=bind",
        f"source={mount.source}",
        f"target={mount.target}",
        *(["readonly"] if mount.read_only else []),
    ]
    # The engines read this as a line of CSV.
    return ",".join(f'"{part.replace(chr(34), chr(34) * 2)}"' if "," in part or '"' in part else part for part in parts)


def _limits(spec: ContainerSpec) -> list[str]:
    words = []
    if spec.memory_bytes:
        words += ["--memory", f"{spec.memory_bytes}b", "--memory-swap", f"{spec.memory_bytes}b"]
    if spec.cpu_millis:
        words += ["--cpus", f"{spec.cpu_millis / 1000:g}"]
    return words


def _security(wanted: Security) -> list[str]:
    words: list[str] = []
    if wanted.user is not None or wanted.group is not None:
        user = "" if wanted.user is None else str(wanted.user)
        words += ["--user", user if wanted.group is None else f"{user or '0'}:{wanted.group}"]
    words += [word for group in wanted.groups for word in ("--group-add", str(group))]
    flags = {"--read-only": wanted.read_only_root, "--privileged": wanted.privileged}
    words += [flag for flag, asked in flags.items() if asked]
    if wanted.no_new_privileges:
        words += ["--security-opt", "no-new-privileges"]
    if wanted.unconfined:
        words += ["--security-opt", "seccomp=unconfined"]
    words += [word for name in wanted.add for word in ("--cap-add", name)]
    return words + [word for name in wanted.drop for word in ("--cap-drop", name)]


def _entrypoint(engine: Engine, program: str) -> str:
    """podman reads a list where it is given one, and would take a program's name apart otherwise."""
    escaped = program.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{escaped}"]' if engine.name == "podman" else program
