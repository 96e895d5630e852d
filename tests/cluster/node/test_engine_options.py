"""What an engine is told to create, what its words become, and what a securityContext means: all without an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.node import security
from fairway.cluster.node.engine import attendant, finding, options
from fairway.cluster.node.engine.client import Engine
from fairway.cluster.node.runtime import CannotStart, ContainerId, ContainerSpec, Mount, Security

PODMAN = Engine("podman", "podman version 5", ("podman",), ("--log-driver", "passthrough"))
DOCKER = Engine("docker", "Docker version 29", ("docker",))
ID = ContainerId("uid", "main", 0)


def created(engine: Engine, **fields: Any) -> list[str]:
    spec = ContainerSpec(ID, "quay.io/me/thing:1", **fields)
    return options.create(
        engine, spec, name="c", labels={"l": "n"}, image="sha", env_file="/e", inherited={"LINES": "a\nb"}, mounts=()
    )


def test_the_whole_call() -> None:
    words = created(
        PODMAN,
        command=("/bin/run", "it"),
        args=("--now",),
        working_dir="/w",
        memory_bytes=1024,
        cpu_millis=1500,
        security=Security(user=7, group=8, groups=(9,), drop=("ALL",), no_new_privileges=True),
    )
    assert words == [
        *("create", "--name", "c", "--network", "host", "--pull", "never", "--no-healthcheck"),
        *("--log-driver", "passthrough", "--label", "l=n", "--env-file", "/e", "--env", "LINES", "--workdir", "/w"),
        *("--memory", "1024b", "--memory-swap", "1024b", "--cpus", "1.5", "--user", "7:8", "--group-add", "9"),
        *("--security-opt", "no-new-privileges", "--cap-drop", "ALL", "--entrypoint", '["/bin/run"]'),
        *("sha", "it", "--now"),
    ]


def test_docker_is_told_its_entrypoint_in_its_own_way() -> None:
    words = created(DOCKER, command=("/bin/run",))
    assert words[-3:] == ["--entrypoint", "/bin/run", "sha"]


def test_limits_are_left_out_where_the_engine_cannot_keep_them() -> None:
    engine = Engine("podman", "", ("podman",), limits=False)
    assert not {"--memory", "--cpus"} & set(created(engine, memory_bytes=1, cpu_millis=1))


def test_values_are_in_no_argument() -> None:
    content, inherited = options.variables({"TOKEN": "secret", "LINES": "a\nb", "LONG": "x" * 40_000})
    assert (content, set(inherited)) == ("TOKEN=secret\n", {"LINES", "LONG"})
    for name in ("LD_PRELOAD", "STORAGE_OPTS", "_CONTAINERS_ROOTLESS_UID"):
        with pytest.raises(CannotStart, match=f"{name} has several lines"):
            options.variables({name: "a\nb"})


def test_a_pods_own_mount_is_not_covered_by_ours() -> None:
    spec = ContainerSpec(ID, "i", mounts=(Mount("/a", "/x/y"),), own=(Mount("/b", "/x/y"), Mount("/c", "/x")))
    assert options.together(spec) == (Mount("/c", "/x"), Mount("/a", "/x/y"))


@pytest.mark.parametrize(
    ("code", "state", "killed", "told"),
    [
        (0, {"StartedAt": "2026-01-01", "ExitCode": 0}, False, (0, 0, "Completed")),
        (3, {"StartedAt": "2026-01-01", "ExitCode": 3}, False, (3, 0, "Error")),
        (137, {"StartedAt": "2026-01-01", "ExitCode": 137}, True, (137, 9, "OOMKilled")),
        (137, {"StartedAt": "2026-01-01", "ExitCode": 137, "OOMKilled": True}, False, (137, 9, "OOMKilled")),
        (0, {"StartedAt": "2026-01-01", "ExitCode": 0}, True, (0, 0, "Completed")),
        (125, {"StartedAt": "0001-01-01T00:00:00Z"}, False, (128, 0, "StartError")),
        (125, None, False, (137, 9, "Error")),
    ],
)
def test_what_is_said_of_an_end(
    code: int, state: dict[str, Any] | None, killed: bool, told: tuple[int, int, str]
) -> None:
    found = attendant.verdict(code, state, killed)
    assert (found["code"], found.get("signal", 0), found["reason"]) == told


def test_the_container_wins_over_the_pod() -> None:
    pod = {"spec": {"securityContext": {"runAsUser": 1, "runAsGroup": 2, "supplementalGroups": [5], "fsGroup": 6}}}
    found = security.of(pod, {"securityContext": {"runAsUser": 3, "capabilities": {"drop": ["ALL"]}}})
    assert (found.user, found.group, found.groups, found.drop) == (3, 2, (5, 6), ("ALL",))
    assert security.of({"spec": {}}, {}) == Security()


def test_an_engine_is_tried_as_it_is_first() -> None:
    first, *others = finding.variants(DOCKER)
    assert first.command == DOCKER.command and "--ulimit" not in first.options
    assert all("--ulimit" in variant.options for variant in others)
    assert list(finding.candidates("podman --root '/big disk'")) == [("podman", "--root", "/big disk")]


_PICKY = """#!/bin/sh
case "$*" in *run\\ --rm*) ;; *) exit 0 ;; esac
echo "$*" >> {log}
case "$*" in
*--runtime\\ runc*--ulimit*) readlink /proc/self/ns/net ;;
*--ulimit*) echo "Error: cgroups in hybrid mode are not supported" >&2; exit 126 ;;
*) echo "Error: setrlimit RLIMIT_NOFILE: Operation not permitted" >&2; exit 126 ;;
esac
"""


async def test_limits_that_the_kernel_refuses_are_tried_with_one_runtime_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("podman", "crun", "runc"):
        (tmp_path / name).write_text(_PICKY.format(log=tmp_path / "log"))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = await finding.Finder(tmp_path, str(tmp_path / "podman")).engine()
    assert found is not None and found.command[-2:] == ("--runtime", "runc")
    runs = (tmp_path / "log").read_text().splitlines()
    assert [run for run in runs if "--ulimit" not in run] == runs[:1]
