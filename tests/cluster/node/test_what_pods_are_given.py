"""Tokens that are renewed while a pod has them, logins for registries, places in volumes, privileges."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.node import logins, security
from fairway.cluster.node.credentials import Credentials, Wanted
from fairway.cluster.node.engine.client import Engine
from fairway.cluster.node.engine.images import Images
from fairway.cluster.node.names import Names
from fairway.cluster.node.runtime import ContainerId, ContainerSpec, Security
from fairway.kernel.clock import FakeClock, SystemClock
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, EVENT, SECRET, SERVICE, SERVICE_ACCOUNT, Object

from .conftest import Bench, phase, state


async def test_a_token_in_a_volume_is_renewed_in_time_and_keeps_its_mode(bench: Bench, tmp_path: Path) -> None:
    clock, file = FakeClock(), tmp_path / "token"
    credentials = Credentials(bench.client, clock, tmp_path / "credentials", "https://127.0.0.1:1", "")
    file.write_text("first")
    file.chmod(0o600)
    credentials.follow("pod", file, Wanted("default", "default", 3600, ("me",)), clock.now())
    renewing = asyncio.create_task(credentials.keep_fresh())
    await _looked(clock, 1700)
    assert file.read_text() == "first"
    await _looked(clock, 200, until=lambda: file.read_text() != "first")
    second = file.read_text()
    assert second.count(".") == 2 and file.stat().st_mode & 0o777 == 0o600
    credentials.forget("pod")
    await _looked(clock, 10_000)
    assert file.read_text() == second
    renewing.cancel()
    with suppress(asyncio.CancelledError):
        await renewing


async def test_a_token_that_cannot_be_written_is_written_later(bench: Bench, tmp_path: Path) -> None:
    clock, folder, away = FakeClock(), tmp_path / "credentials", tmp_path / "away"
    credentials = Credentials(bench.client, clock, folder, "https://127.0.0.1:1", "")
    token = (await credentials.files("default", "default")).folder / "token"
    first = token.read_text()
    credentials._renewals["default", "default"] = clock.now() + 1000
    renewing = asyncio.create_task(credentials.keep_fresh())
    folder.rename(away)
    folder.write_text("")  # nothing can be written there, as on a full disk
    await _looked(clock, 1500)
    assert not renewing.done()
    folder.unlink()
    away.rename(folder)
    await _looked(clock, 200, until=lambda: token.read_text() != first)
    renewing.cancel()
    with suppress(asyncio.CancelledError):
        await renewing


async def test_what_an_earlier_node_wrote_is_renewed_by_the_next(bench: Bench) -> None:
    clock = FakeClock()
    async with bench.node():
        await bench.create("stays", "sleep", "1000")
        await bench.until("stays", lambda pod: state(pod, "running"))
    token = bench.folder / "credentials" / "default" / "default" / "token"
    first = token.read_text()
    async with bench.node(clock) as node:
        await _looked(clock, 200, until=lambda: token.read_text() != first)
        await node.shutdown(stop_pods=True)


async def test_an_account_that_is_made_again_has_a_token_of_its_own(bench: Bench) -> None:
    async with bench.node() as node:
        said = []
        for name in ("first", "second"):
            await bench.client.create(SERVICE_ACCOUNT, SERVICE_ACCOUNT.new("mine", "default"))
            account = await bench.client.get(SERVICE_ACCOUNT, "mine", "default")
            async with asyncio.timeout(60):
                while node._credentials._uids.get(("default", "mine")) != account["metadata"]["uid"]:
                    await asyncio.sleep(0.01)
            await bench.create(name, "true", serviceAccountName="mine")
            await bench.over(name)
            said.append((bench.folder / "credentials" / "default" / "mine" / "token").read_text())
            await bench.client.delete(SERVICE_ACCOUNT, "mine", "default")
        assert said[0] != said[1]


async def test_names_that_cannot_be_written_are_written_later(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "names"
    services, slices = (Mirror(bench.client, kind, SystemClock()) for kind in (SERVICE, ENDPOINT_SLICE))
    names = Names(services, slices, folder)
    names.begin()
    tasks = [asyncio.create_task(work) for work in (services.run(), slices.run(), names.run())]
    names.file.unlink()
    folder.rmdir()
    folder.write_text("")  # nothing can be written there, as on a full disk
    ports = [{"port": 80}]
    await bench.client.create(SERVICE, SERVICE.new("s", "default", spec={"ports": ports}))
    async with asyncio.timeout(20):
        while "cannot be written" not in caplog.text:
            await asyncio.sleep(0.01)
        folder.unlink()
        folder.mkdir()
        while not names.file.exists() or "s.default" not in names.file.read_text():
            await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _looked(clock: FakeClock, seconds: float, until: Any = None) -> None:
    for _ in range(int(seconds // 100)):
        await clock.advance(100)
        for _ in range(20):
            await asyncio.sleep(0)
    async with asyncio.timeout(60):
        while until is not None and not until():
            await asyncio.sleep(0.01)


def secret(type_: str, key: str, content: object) -> Object:
    data = {key: base64.b64encode(json.dumps(content).encode()).decode()}
    return {**SECRET.new("s", "default"), "type": type_, "data": data}


def test_pull_secrets_of_both_kinds_become_one_document() -> None:
    new = secret("kubernetes.io/dockerconfigjson", ".dockerconfigjson", {"auths": {"a.example": {"auth": "1"}}})
    old = secret("kubernetes.io/dockercfg", ".dockercfg", {"b.example": {"auth": "2"}, "a.example": {"auth": "3"}})
    none = secret("Opaque", "x", {"auths": {"c.example": {}}})
    odd = secret("kubernetes.io/dockerconfigjson", ".dockerconfigjson", ["d.example"])
    assert logins.together([odd, new, old, none]) == {"a.example": {"auth": "1"}, "b.example": {"auth": "2"}}


@pytest.mark.parametrize("name", ["podman", "docker"])
async def test_an_engine_pulls_with_the_pods_logins_and_then_with_its_own(name: str, tmp_path: Path) -> None:
    """The engine is a program that writes down how it was called, and has the image after the second pull."""
    calls = tmp_path / "calls"
    program = tmp_path / name
    program.write_text(
        f'#!/bin/sh\ncase $1 in\nimage) grep -q own {calls} 2>/dev/null && echo \'[{{"Id": "i"}}]\' || exit 1;;\n'
        f'pull) for file in "$4" "$DOCKER_CONFIG/config.json"; do\n'
        f'test -s "$file" && cat "$file" >>{calls} && exit 1; done\n'
        f"echo own >>{calls};;\nesac\n"
    )
    program.chmod(0o700)
    document = json.dumps({"auths": {"a.example": {"auth": "1"}}})
    spec = ContainerSpec(ContainerId("p", "c", 0), "a.example/x:1", logins=document)
    images = Images()
    found = await images.provide(Engine(name, "1", (str(program),)), spec)
    assert (found.id, calls.read_text()) == ("i", f"{document}own\n")
    assert document not in repr(spec)
    await images.close()


async def test_a_place_in_a_volume_may_be_named_by_a_variable(pods: Bench) -> None:
    mount = {"name": "data", "mountPath": "/data", "subPathExpr": "$(POD)/logs"}
    env = [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    volumes = [{"name": "data", "emptyDir": {}}]
    container: Object = {"volumeMounts": [mount], "env": env}
    await pods.create("p", "sh", "-c", "echo hi > /data/x", container=container, volumes=volumes)
    pod = await pods.over("p")
    assert phase(pod) == "Succeeded"
    place = pods.folder / "pods" / pod["metadata"]["uid"] / "volumes" / "data" / "p" / "logs" / "x"
    assert place.read_text() == "hi\n"
    await pods.create("q", "true", container={"volumeMounts": [mount]}, volumes=volumes)
    pod = await pods.until("q", lambda found: state(found, "waiting").get("reason") == "CreateContainerConfigError")
    assert "names a variable that is not there" in state(pod, "waiting")["message"]


async def test_a_pod_without_volumes_finds_its_token_where_clients_look_and_leaves_a_message(pods: Bench) -> None:
    script = (
        "cd /var/run/secrets/kubernetes.io/serviceaccount 2>/dev/null || exit 7;"
        "cat namespace; test -s token && echo done > /dev/termination-log"
    )
    await pods.create("p", "sh", "-c", script)
    ended = state(await pods.over("p"), "terminated")
    if ended["exitCode"] == 7:
        pytest.skip("no private mounts here")
    assert (ended["exitCode"], ended["message"], await pods.log("p")) == (0, "done\n", "default")
    assert not Path("/dev/termination-log").exists()


async def test_of_a_message_however_long_its_end_is_told(pods: Bench) -> None:
    script = 'f=$FAIRWAY_TERMINATION_LOG; echo begin > $f; truncate -s 64M $f; printf "%s" end >> $f'
    await pods.create("p", "sh", "-c", script)
    ended = state(await pods.over("p"), "terminated")
    assert (len(ended["message"]), ended["message"].strip("\0")) == (4096, "end")


async def test_a_process_gains_no_privileges_and_says_what_it_does_not_keep(pods: Bench) -> None:
    wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    await pods.create("p", "grep", "NoNewPrivs", "/proc/self/status", container={"securityContext": wanted})
    await pods.over("p")
    assert (await pods.log("p")).split() == ["NoNewPrivs:", "1"]
    told = [
        each for each in (await pods.client.list(EVENT, "default")).items if each["reason"] == "SecurityContextNotKept"
    ]
    assert "readOnlyRootFilesystem, capabilities" in told[0]["message"]


def test_what_a_process_keeps_anyway_is_not_told() -> None:
    assert security.lost_on_a_process(Security(no_new_privileges=True, unconfined=True)) == []
    assert security.lost_on_a_process(Security(groups=(5,))) == ["fsGroup, supplementalGroups"]


async def test_one_stream_of_a_log_may_be_asked_for(pods: Bench) -> None:
    await pods.create("p", "sh", "-c", "echo out; echo err >&2")
    await pods.over("p")
    path = "/api/v1/namespaces/default/pods/p/log"
    said = {name: await _read(pods, path, stream=name) for name in ("Stdout", "Stderr", "All")}
    assert (said["Stdout"], said["Stderr"]) == ("out\n", "err\n")
    assert sorted(said["All"].splitlines()) == ["err", "out"]


async def _read(pods: Bench, path: str, **query: str) -> str:
    pieces = pods.client.transport.stream(path, query)
    return b"".join([piece async for piece in pieces]).decode()
