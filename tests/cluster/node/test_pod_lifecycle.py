"""What users see of a pod from its start to its end."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from fairway.cluster.node.shepherd import memory
from fairway.cluster.node.volumes.folders import in_memory as volumes_in_memory
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import (
    CONFIG_MAP,
    EVENT,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SECRET,
    Object,
)

from .conftest import Bench, main, phase, state


async def test_a_pod_that_ends_well(pods: Bench) -> None:
    await pods.create("well", "sh", "-c", "echo done")
    pod = await pods.over("well")
    assert phase(pod) == "Succeeded"
    ended = state(pod, "terminated")
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    assert pod["status"]["podIP"].startswith("127.")
    assert conditions.find(pod, "Ready")["reason"] == "PodCompleted"  # type: ignore[index]
    assert await pods.log("well") == "done\n"


async def test_a_pod_that_fails(pods: Bench) -> None:
    await pods.create("badly", "sh", "-c", "exit 3")
    pod = await pods.over("badly")
    assert (phase(pod), state(pod, "terminated")["exitCode"]) == ("Failed", 3)


async def test_a_command_that_is_not_there_is_a_start_error(pods: Bench) -> None:
    await pods.create("typo", "pyhton")
    ended = state(await pods.over("typo"), "terminated")
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "pyhton" in ended["message"]


async def test_args_stand_in_for_what_the_image_would_run(pods: Bench) -> None:
    """As in `kubectl run NAME --image=busybox -- echo done`."""
    await pods.create("args", container={"args": ["echo", "done"]})
    assert phase(await pods.over("args")) == "Succeeded"
    assert await pods.log("args") == "done\n"


async def test_an_unknown_image_waits_with_a_sentence(pods: Bench) -> None:
    await pods.create("nginx", "nginx", container={"image": "nginx:1.27"})
    pod = await pods.until("nginx", lambda pod: state(pod, "waiting"))
    waiting = state(pod, "waiting")
    assert (phase(pod), waiting["reason"]) == ("Pending", "ImageNotInCatalogue")
    assert '"nginx:1.27"' in waiting["message"] and "python" in waiting["message"]
    events = await pods.client.list(EVENT, "default", fields="involvedObject.name=nginx")
    assert any(event["reason"] == "Failed" for event in events.items)


async def test_an_image_whose_name_is_an_option_is_none(pods: Bench) -> None:
    await pods.create("p", "true", container={"image": "--help"})
    pod = await pods.until("p", lambda pod: state(pod, "waiting").get("reason") == "InvalidImageName")
    assert "invalid reference format" in state(pod, "waiting")["message"]


async def test_a_failing_container_is_restarted_with_its_past_on_show(pods: Bench) -> None:
    script = "test -e $HOME/once && exec sleep 1000; touch $HOME/once; echo first; exit 9"
    await pods.create("again", "sh", "-c", script, restartPolicy="OnFailure")
    pod = await pods.until("again", lambda pod: state(pod, "running") and main(pod)["restartCount"] == 1)
    assert main(pod)["lastState"]["terminated"]["exitCode"] == 9
    assert phase(pod) == "Running"
    assert await pods.log("again", previous=True) == "first\n"


async def test_a_crash_loop_backs_off(bench: Bench) -> None:
    async with bench.node(restart_delay=0.3) as node:
        await bench.create("loop", "false", restartPolicy="Always")
        pod = await bench.until("loop", lambda pod: state(pod, "waiting").get("reason") == "CrashLoopBackOff")
        assert "back-off 0.3s restarting failed container=main" in state(pod, "waiting")["message"]
        pod = await bench.until("loop", lambda pod: "back-off 0.6s" in state(pod, "waiting").get("message", ""))
        assert phase(pod) == "Running"
        await node.shutdown(stop_pods=True)


async def test_init_containers_run_in_order_before_the_others(pods: Bench) -> None:
    shared = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}], "image": "busybox"}
    inits = [
        {"name": name, "command": ["sh", "-c", f"echo {name} >> /shared/order"], **shared} for name in ("one", "two")
    ]
    volumes = [{"name": "shared", "emptyDir": {}}]
    await pods.create("chain", "cat", "/shared/order", initContainers=inits, volumes=volumes, container=shared)
    pod = await pods.over("chain")
    assert (phase(pod), await pods.log("chain", container="main")) == ("Succeeded", "one\ntwo\n")
    assert [status["ready"] for status in pod["status"]["initContainerStatuses"]] == [True, True]


async def test_a_failed_init_container_fails_the_pod(pods: Bench) -> None:
    await pods.create("stuck", "true", initContainers=[{"name": "no", "image": "busybox", "command": ["false"]}])
    pod = await pods.over("stuck")
    assert phase(pod) == "Failed"
    assert state(pod, "waiting")["reason"] == "PodInitializing"
    assert conditions.find(pod, "Initialized")["reason"] == "ContainersNotInitialized"  # type: ignore[index]


async def test_a_sidecar_starts_first_and_does_not_keep_the_pod(pods: Bench) -> None:
    sidecar = {"name": "side", "image": "busybox", "command": ["sleep", "1000"], "restartPolicy": "Always"}
    await pods.create("helped", "true", initContainers=[sidecar])
    pod = await pods.over("helped")
    assert phase(pod) == "Succeeded"
    assert pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 143


async def test_readiness_follows_the_probe(pods: Bench) -> None:
    probe = {"exec": {"command": ["sh", "-c", "test -e $HOME/ready"]}, "periodSeconds": 1}
    script = "until test -e $HOME/go; do sleep 0.05; done; touch $HOME/ready; exec sleep 1000"
    await pods.create("slow", "sh", "-c", script, container={"readinessProbe": probe})
    pod = await pods.until("slow", lambda pod: state(pod, "running"))
    assert not main(pod)["ready"]
    assert conditions.find(pod, "Ready")["message"] == "containers with unready status: [main]"  # type: ignore[index]
    (pods.folder / "pods" / pod["metadata"]["uid"] / "home" / "go").touch()
    pod = await pods.until("slow", lambda pod: main(pod).get("ready"))
    assert conditions.is_true(pod, "Ready")


async def test_why_a_pod_does_not_become_ready_is_told_once(pods: Bench) -> None:
    command = ["sh", "-c", "echo looked >> $HOME/looks; echo not yet; exit 1"]
    probe = {"exec": {"command": command}, "periodSeconds": 1, "failureThreshold": 1}
    await pods.create("slow", "sleep", "1000", container={"readinessProbe": probe})
    pod = await pods.until("slow", lambda pod: state(pod, "running"))
    looks = pods.folder / "pods" / pod["metadata"]["uid"] / "home" / "looks"
    async with asyncio.timeout(60):
        while not await _events(pods, "Unhealthy"):
            await asyncio.sleep(0.05)
        before = looks.read_text().count("\n")
        while looks.read_text().count("\n") < before + 2:
            await asyncio.sleep(0.05)
    events = await _events(pods, "Unhealthy")
    assert [(each["message"], each.get("count", 1)) for each in events] == [("Readiness probe failed: not yet\n", 1)]


async def _events(pods: Bench, reason: str) -> list[Object]:
    return [each for each in (await pods.client.list(EVENT, "default")).items if each["reason"] == reason]


async def test_a_container_that_is_not_alive_is_restarted(pods: Bench) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    await pods.create("dead", "sleep", "1000", restartPolicy="Always", container={"livenessProbe": probe})
    pod = await pods.until("dead", lambda pod: main(pod).get("restartCount"))
    assert main(pod)["lastState"]["terminated"]["exitCode"] == 143


async def test_a_deleted_pod_may_say_goodbye(pods: Bench, tmp_path: Path) -> None:
    script = f"trap 'echo bye > {tmp_path}/bye; exit 0' TERM; echo set; while :; do sleep 0.02; done"
    await pods.create("polite", "sh", "-c", script)
    await pods.until("polite", lambda pod: state(pod, "running"))
    await pods.said("polite", "set")
    await pods.client.delete(POD, "polite", "default")
    await pods.gone("polite")
    assert (tmp_path / "bye").read_text() == "bye\n"


@pytest.mark.slow  # upstream's two seconds between SIGTERM and SIGKILL
async def test_a_deleted_pod_that_does_not_listen_is_killed(pods: Bench) -> None:
    await pods.create("deaf", "sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done")
    pod = await pods.until("deaf", lambda pod: state(pod, "running"))
    await pods.said("deaf", "deaf")
    await pods.client.delete(POD, "deaf", "default", grace_seconds=1)
    await pods.gone("deaf")
    await pods.swept(pod)


async def test_an_active_deadline_ends_the_pod(pods: Bench) -> None:
    await pods.create("late", "sleep", "1000", activeDeadlineSeconds=1)
    pod = await pods.over("late")
    assert (phase(pod), pod["status"]["reason"]) == ("Failed", "DeadlineExceeded")


async def test_the_environment_is_the_specs_and_not_the_servers(pods: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SECRET", "leaked")
    await pods.client.create(SECRET, SECRET.new("s", "default", stringData={"key": "hidden"}))
    await pods.client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default", data={"A": "1", "B": "2"}))
    env = [
        {"name": "PLAIN", "value": "x"},
        {"name": "EXPANDED", "value": "$(PLAIN)-$(P_A)-$$(PLAIN)-$(NOPE)"},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
        {"name": "WHOLE", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
    ]
    container = {
        "env": env,
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "c"}}],
        "resources": {"limits": {"cpu": "250m"}},
    }
    await pods.create("env", "env", container=container)
    pod = await pods.over("env")
    seen = dict(line.split("=", 1) for line in (await pods.log("env")).splitlines())
    assert "SERVER_SECRET" not in seen
    address = pod["status"]["podIP"]
    wanted = {
        "PLAIN": "x", "EXPANDED": "x-1-$(PLAIN)-$(NOPE)", "SECRET": "hidden", "NAME": "env", "CPU": "250",
        "WHOLE": "1", "P_A": "1", "P_B": "2", "HOSTNAME": "env", "IP": address, "FAIRWAY_POD_IP": address,
    }  # fmt: skip
    assert {name: seen.get(name) for name in wanted} == wanted
    with open(seen["KUBECONFIG"]) as file:
        assert json.load(file)["contexts"][0]["context"]["namespace"] == "default"


async def test_a_missing_secret_is_waited_for(pods: Bench) -> None:
    env = [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "later", "key": "k"}}}]
    await pods.create("waits", "sh", "-c", "echo $S", container={"env": env})
    pod = await pods.until("waits", lambda pod: state(pod, "waiting").get("message"))
    assert state(pod, "waiting") == {"reason": "CreateContainerConfigError", "message": 'secret "later" not found'}
    await pods.client.create(SECRET, SECRET.new("later", "default", stringData={"k": "here"}))
    await pods.over("waits")
    assert await pods.log("waits") == "here\n"


async def test_volumes_are_where_the_container_expects_them(pods: Bench) -> None:
    await pods.client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default", data={"a.txt": "A", "b.txt": "B"}))
    await pods.client.create(SECRET, SECRET.new("s", "default", stringData={"password": "p"}))
    volumes = [
        {"name": "c", "configMap": {"name": "c", "items": [{"key": "a.txt", "path": "sub/a"}]}},
        {"name": "s", "secret": {"secretName": "s"}},
        {"name": "e", "emptyDir": {}},
        {"name": "d", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    ]
    mounts = [
        {"name": "c", "mountPath": "/etc/fairway-test"},
        {"name": "s", "mountPath": "/secrets-test", "readOnly": True},
        {"name": "e", "mountPath": "/scratch-test/deep"},
        {"name": "d", "mountPath": "/info-test"},
    ]
    script = (
        "cat /etc/fairway-test/sub/a /secrets-test/password /info-test/name; echo x > /scratch-test/deep/f; "
        "(echo x > /secrets-test/f) 2>/dev/null || echo ' read-only'; ls /etc/passwd; "
        "echo gone > $FAIRWAY_TERMINATION_LOG"
    )
    await pods.create("vols", "sh", "-c", script, volumes=volumes, container={"volumeMounts": mounts})
    pod = await pods.over("vols")
    assert await pods.log("vols") == "Apvols read-only\n/etc/passwd\n"
    assert state(pod, "terminated")["message"] == "gone\n"


async def test_a_claim_outlives_its_pods(pods: Bench) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await pods.client.create(PERSISTENT_VOLUME_CLAIM, PERSISTENT_VOLUME_CLAIM.new("data", "default", spec=spec))
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    mount = {"volumeMounts": [{"name": "v", "mountPath": "claim-test"}]}  # from the root, as the kubelet takes it
    for name, script in (("writes", "echo kept > /claim-test/f"), ("reads", "cat /claim-test/f")):
        await pods.create(name, "sh", "-c", script, volumes=volumes, container=mount)
        assert phase(await pods.over(name)) == "Succeeded"
    assert await pods.log("reads") == "kept\n"
    claim = await pods.client.get(PERSISTENT_VOLUME_CLAIM, "data", "default")
    assert claim["status"]["phase"] == "Bound"
    volume = await pods.client.get(PERSISTENT_VOLUME, claim["spec"]["volumeName"])
    assert volume["spec"]["claimRef"]["uid"] == meta.uid(claim)
    assert (Path(volume["spec"]["hostPath"]["path"]) / "f").read_text() == "kept\n"


async def test_a_claim_that_is_deleted_takes_its_bytes_along_and_a_new_one_begins_empty(
    pods: Bench, tmp_path: Path
) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/claim-test"}]}
    for name in ("first", "second"):
        await pods.client.create(PERSISTENT_VOLUME_CLAIM, PERSISTENT_VOLUME_CLAIM.new("data", "default", spec=spec))
        await pods.create(name, "sh", "-c", "ls /claim-test; echo x > /claim-test/f", volumes=volumes, container=mount)
        assert phase(await pods.over(name)) == "Succeeded"
        assert await pods.log(name) == ""
        (folder,) = tmp_path.glob("**/claims/default/data")
        await pods.client.delete(PERSISTENT_VOLUME_CLAIM, "data", "default")
        async with asyncio.timeout(60):
            while folder.exists():
                await asyncio.sleep(0.02)


async def test_volumes_made_by_hand_and_volumes_for_one_pod(pods: Bench, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "f").write_text("by hand")
    size = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    volume = {"hostPath": {"path": str(tmp_path / "given")}, "accessModes": ["ReadWriteOnce"]}
    volume["capacity"] = {"storage": "1Gi"}
    await pods.client.create(PERSISTENT_VOLUME, PERSISTENT_VOLUME.new("given", spec=volume))
    claim = PERSISTENT_VOLUME_CLAIM.new("mine", "default", spec={**size, "volumeName": "given"})
    await pods.client.create(PERSISTENT_VOLUME_CLAIM, claim)
    volumes = [
        {"name": "g", "persistentVolumeClaim": {"claimName": "mine"}},
        {"name": "e", "ephemeral": {"volumeClaimTemplate": {"spec": size}}},
        {"name": "m", "emptyDir": {"medium": "Memory"}},
    ]
    mounts = [
        {"name": "g", "mountPath": "/given-test"},
        {"name": "e", "mountPath": "/own-test"},
        {"name": "m", "mountPath": "/dev/shm"},
    ]
    script = "cat /given-test/f; echo x > /own-test/f; echo x > /dev/shm/f; stat -f -c %T /dev/shm; ls /dev/shm"
    await pods.create("pod", "sh", "-c", script, volumes=volumes, container={"volumeMounts": mounts})
    pod = await pods.over("pod")
    assert await pods.log("pod") == "by handtmpfs\nf\n"
    async with asyncio.timeout(60):
        while volumes_in_memory(pod["metadata"]["uid"]).exists():
            await asyncio.sleep(0.02)
    await pods.client.delete(PERSISTENT_VOLUME_CLAIM, "mine", "default")
    assert (tmp_path / "given" / "f").exists()


async def test_a_volume_that_is_anothers_is_not_mounted(pods: Bench, tmp_path: Path) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "v"}
    volume = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": str(tmp_path)}}
    await pods.client.create(PERSISTENT_VOLUME, PERSISTENT_VOLUME.new("v", spec=volume))
    for name in ("first", "second"):
        await pods.client.create(PERSISTENT_VOLUME_CLAIM, PERSISTENT_VOLUME_CLAIM.new(name, "default", spec=spec))
        used = [{"name": "c", "persistentVolumeClaim": {"claimName": name}}]
        await pods.create(
            name, "true", volumes=used, container={"volumeMounts": [{"name": "c", "mountPath": "/c-test"}]}
        )
        if name == "first":
            assert phase(await pods.over(name)) == "Succeeded"
    pod = await pods.until("second", lambda pod: state(pod, "waiting").get("reason") == "VolumeNotReady")
    assert state(pod, "waiting")["message"] == 'volume "v" already bound to a different claim.'
    second = await pods.client.get(PERSISTENT_VOLUME_CLAIM, "second", "default")
    assert (second.get("status") or {}).get("phase") != "Bound"


@pytest.mark.skipif(not memory.available(), reason="this machine lets us make no control group")
async def test_a_container_that_takes_too_much_memory_is_killed(pods: Bench) -> None:
    container = {"image": "python:3.11", "resources": {"limits": {"memory": "64Mi"}}}
    await pods.create("big", "python3", "-c", "x = b'x' * (300 << 20); print('had it')", container=container)
    ended = state(await pods.over("big"), "terminated")
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
    assert await pods.log("big") == ""


async def test_an_unsupported_volume_is_refused_by_name(pods: Bench) -> None:
    await pods.create("nfs", "true", volumes=[{"name": "v", "nfs": {"server": "s", "path": "/"}}])
    pod = await pods.until("nfs", lambda pod: state(pod, "waiting"))
    assert state(pod, "waiting")["reason"] == "VolumeNotSupported"
    assert "nfs" in state(pod, "waiting")["message"]


async def test_two_pods_listen_on_the_same_port_of_all_interfaces(pods: Bench) -> None:
    container = {
        "image": "python:3.11",
        "command": ["python3", "-m", "http.server", "8123"],
        "readinessProbe": {"httpGet": {"port": 8123}, "periodSeconds": 1, "failureThreshold": 30},
    }
    for name in ("left", "right"):
        await pods.create(name, container=container)
    ready = [await pods.until(name, lambda pod: main(pod).get("ready")) for name in ("left", "right")]
    assert len({pod["status"]["podIP"] for pod in ready}) == 2


async def test_logs_by_tail_and_followed_to_the_end(pods: Bench) -> None:
    await pods.create("talk", "sh", "-c", "echo 1; echo 2; echo 3; until test -e $HOME/go; do sleep 0.02; done; echo 4")
    pod = await pods.until("talk", lambda pod: state(pod, "running"))
    lines = []
    async for piece in pods.client.logs("talk", "default", follow=True):
        lines.append(piece.decode())
        if "3\n" in "".join(lines):
            (pods.folder / "pods" / pod["metadata"]["uid"] / "home" / "go").touch()
    assert "".join(lines) == "1\n2\n3\n4\n"
    assert await pods.log("talk", tail=2) == "3\n4\n"


@pytest.mark.slow
async def test_what_a_pod_installs_is_its_own(pods: Bench, wheel: Path) -> None:
    script = f"pip install --quiet --no-index {wheel} && python3 -c 'import greeting, aiohttp; print(greeting.TEXT)'"
    await pods.create("installs", "sh", "-c", script, container={"image": "python:3.11"})
    await pods.create("later", "python3", "-c", "import greeting", container={"image": "python:3.11"})
    assert phase(await pods.over("installs")) == "Succeeded", await pods.log("installs")
    assert (await pods.log("installs")).endswith("hello\n")
    assert phase(await pods.over("later")) == "Failed"


async def test_python_images_run_our_interpreter(pods: Bench) -> None:
    script = "import sys; print(sys.version_info[:2])"
    await pods.create("py", "python", "-c", script, container={"image": "docker.io/library/python:3.9-slim"})
    assert phase(await pods.over("py")) == "Succeeded"
    assert await pods.log("py") == f"{sys.version_info[:2]}\n"


async def test_a_container_is_stopped_by_the_signal_that_it_names(pods: Bench) -> None:
    script = "trap 'echo heard; exit 0' USR1; echo up; while :; do sleep 0.05; done"
    container = {"lifecycle": {"stopSignal": "SIGUSR1"}}
    await pods.create("p", "sh", "-c", script, container=container, activeDeadlineSeconds=2)
    assert phase(await pods.over("p")) == "Failed"
    assert (await pods.log("p")).splitlines()[-1] == "heard"


async def test_a_signal_that_is_none_stops_it_all_the_same(pods: Bench) -> None:
    await pods.create("p", "sleep", "1000", container={"lifecycle": {"stopSignal": "alarm"}})
    await pods.until("p", lambda pod: state(pod, "running"))
    await pods.client.delete(POD, "p", "default")
    await pods.gone("p")


async def test_a_folder_in_memory_that_somebody_else_made_is_not_used(bench: Bench, tmp_path: Path) -> None:
    volume = {"name": "m", "emptyDir": {"medium": "Memory"}}
    mount = {"name": "m", "mountPath": "/m-test"}
    pod = await bench.create("p", "true", volumes=[volume], container={"volumeMounts": [mount]})
    place = volumes_in_memory(pod["metadata"]["uid"])
    if not place.parent.is_dir():
        pytest.skip("no place in memory here")
    place.symlink_to(tmp_path, target_is_directory=True)
    try:
        async with bench.node() as node:
            found = await bench.until("p", lambda pod: state(pod, "waiting").get("reason") == "VolumeNotReady")
            assert "belongs to somebody else" in state(found, "waiting")["message"]
            await node.shutdown(stop_pods=True)
    finally:
        place.unlink()
