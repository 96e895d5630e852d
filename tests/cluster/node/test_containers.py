"""Pods whose image is in no catalogue, in the container engine of this machine. Skipped where none works."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from fairway.kernel.objects.kinds import CONFIG_MAP, EVENT, NODE
from fairway.testing.containers import Local

from .conftest import NODE as HERE
from .conftest import Bench, main, phase, state

pytestmark = pytest.mark.slow
_LONG = 60


async def run(pods: Bench, name: str, image: str, script: str, **spec: Any) -> Any:
    container = {"image": image, "imagePullPolicy": "IfNotPresent", **spec.pop("container", {})}
    await pods.create(name, *(("sh", "-c", script) if script else ()), container=container, **spec)
    return await pods.until(name, lambda pod: phase(pod) in ("Succeeded", "Failed"), timeout=_LONG)


async def test_an_image_that_is_in_no_catalogue_runs_with_what_is_in_it(engine_pods: Bench, local: Local) -> None:
    pod = await run(engine_pods, "own", local.busybox, "ls /bin | head -n 1; ls /usr; exit 3")
    ended = state(pod, "terminated")
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    assert "busybox\n" in await engine_pods.log("own") and "local" not in await engine_pods.log("own")
    assert main(pod)["containerID"].startswith(f"{local.engine.name}://")
    assert main(pod)["imageID"].startswith(f"{local.engine.name}://")


async def test_the_node_says_which_engine_it_has(engine_pods: Bench, local: Local) -> None:
    def told(node: Any) -> dict[str, str]:
        return dict((node or {}).get("metadata", {}).get("annotations") or {})

    node = await engine_pods.client.wait(
        NODE,
        HERE,
        None,
        lambda node: told(node).get("fairway.dev/container-engine") == local.engine.told,
        timeout=_LONG,
    )
    notes = told(node)
    assert "busybox" in notes["fairway.dev/process-images"].split(",")


async def test_an_annotation_makes_a_container_of_an_image_of_the_catalogue(engine_pods: Bench, local: Local) -> None:
    """The name is the catalogue's: as a process it would see this machine's /usr."""
    name = "localhost/busybox:fairway-test"
    await local.engine.call("tag", local.busybox, name)
    pod = await run(engine_pods, "asked", name, "ls /usr", annotations={"fairway.dev/runtime": "container"})
    assert phase(pod) == "Failed"
    assert main(pod)["containerID"].startswith(f"{local.engine.name}://")
    pod = await run(engine_pods, "usual", name, "ls /usr")
    assert (phase(pod), main(pod)["containerID"].partition(":")[0]) == ("Succeeded", "process")


async def test_command_args_variables_and_working_directory(engine_pods: Bench, local: Local) -> None:
    script = 'pwd; echo "$1|$PLAIN|$LINES|$PATH"'
    container = {
        "command": ["sh", "-c", script],
        "args": ["sh", "$(PLAIN)-given"],
        "workingDir": "/tmp",
        "env": [{"name": "PLAIN", "value": 'a "b" # c'}, {"name": "LINES", "value": "one\ntwo"}],
    }
    pod = await run(engine_pods, "words", local.busybox, "", container=container)
    assert phase(pod) == "Succeeded", pod["status"]
    given = 'a "b" # c'
    said = await engine_pods.log("words")
    assert said == f"/tmp\n{given}-given|{given}|one\ntwo|/usr/local/bin:/usr/bin:/bin\n"


async def test_args_alone_stand_in_for_what_the_image_would_run(engine_pods: Bench, local: Local) -> None:
    pod = await run(engine_pods, "args", local.busybox, "", container={"args": ["echo", "done"]})
    assert (phase(pod), await engine_pods.log("args")) == ("Succeeded", "done\n")


async def test_volumes_tokens_and_last_words_are_where_kubernetes_has_them(engine_pods: Bench, local: Local) -> None:
    await engine_pods.client.create(CONFIG_MAP, CONFIG_MAP.new("settings", "default", data={"colour": "blue"}))
    script = (
        "cat /settings/colour; echo; echo kept > /data/note; cat /data/note;"
        " touch /settings/x 2>/dev/null || echo held;"
        " test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo token;"
        " test -s $KUBECONFIG && echo config; echo the end > /dev/termination-log"
    )
    pod = await run(
        engine_pods,
        "volumes",
        local.busybox,
        script,
        container={
            "volumeMounts": [
                {"name": "settings", "mountPath": "/settings", "readOnly": True},
                {"name": "data", "mountPath": "/data"},
            ]
        },
        volumes=[{"name": "settings", "configMap": {"name": "settings"}}, {"name": "data", "emptyDir": {}}],
    )
    assert await engine_pods.log("volumes") == "blue\nkept\nheld\ntoken\nconfig\n"
    assert state(pod, "terminated")["message"].strip() == "the end"


async def test_another_user_may_write_where_a_pod_may(engine_pods: Bench, local: Local) -> None:
    script = (
        "id -u; id -G; touch /data/x /dev/termination-log && echo wrote;"
        " test -r /var/run/secrets/kubernetes.io/serviceaccount/token && echo read; touch /x 2>/dev/null || echo held"
    )
    pod = await run(
        engine_pods,
        "user",
        local.busybox,
        script,
        container={
            "securityContext": {"runAsUser": 1234, "runAsNonRoot": True, "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        },
        securityContext={"runAsGroup": 2345, "fsGroup": 3456},
        volumes=[{"name": "data", "emptyDir": {}}],
    )  # fmt: skip
    assert (await engine_pods.log("user")).split() == ["1234", "2345", "3456", "wrote", "read", "held"], pod["status"]


@pytest.mark.parametrize(
    ("context", "reason", "words"),
    [
        ({"runAsNonRoot": True}, "CreateContainerConfigError", "image will run as root"),
        ({"seLinuxOptions": {"level": "s0"}}, "SecurityContextNotSupported", "seLinuxOptions"),
        ({"seccompProfile": {"type": "Localhost"}}, "SecurityContextNotSupported", "seccompProfile Localhost"),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_name(
    engine_pods: Bench, local: Local, context: dict[str, Any], reason: str, words: str
) -> None:
    container = {"image": local.busybox, "imagePullPolicy": "Never", "securityContext": context}
    await engine_pods.create("refused", "true", container=container)
    pod = await engine_pods.until("refused", lambda pod: state(pod, "waiting").get("reason") == reason, timeout=_LONG)
    assert words in state(pod, "waiting")["message"]


async def test_a_container_that_takes_too_much_memory_says_so(engine_pods: Bench, local: Local) -> None:
    if not local.engine.limits:
        pytest.skip("no memory limits here")
    container = {"resources": {"limits": {"memory": "32Mi"}}}
    pod = await run(engine_pods, "greedy", local.busybox, "sleep 0.5; tail /dev/zero", container=container)
    ended = state(pod, "terminated")
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


async def test_a_command_that_is_not_in_the_image_is_a_start_error(engine_pods: Bench, local: Local) -> None:
    await engine_pods.create("typo", "pyhton", container={"image": local.busybox, "imagePullPolicy": "Never"})
    pod = await engine_pods.until("typo", lambda pod: phase(pod) == "Failed", timeout=_LONG)
    ended = state(pod, "terminated")
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "pyhton" in ended["message"]


async def test_an_image_that_is_not_here_and_may_not_be_pulled(engine_pods: Bench, local: Local) -> None:
    image = "fairway.invalid/absent:1"
    await engine_pods.create("absent", "true", container={"image": image, "imagePullPolicy": "Never"})
    pod = await engine_pods.until(
        "absent", lambda pod: state(pod, "waiting").get("reason") == "ErrImageNeverPull", timeout=_LONG
    )
    assert image in state(pod, "waiting")["message"]


async def test_an_image_that_cannot_be_pulled_backs_off_with_the_engines_words(
    engine_pods: Bench, local: Local
) -> None:
    image = "fairway.invalid/absent:1"
    await engine_pods.create("absent", "true", container={"image": image})
    first = await engine_pods.until(
        "absent", lambda pod: state(pod, "waiting").get("reason") == "ErrImagePull", timeout=_LONG
    )
    assert image in state(first, "waiting")["message"] and local.engine.name in state(first, "waiting")["message"]
    await engine_pods.until(
        "absent", lambda pod: state(pod, "waiting").get("reason") == "ImagePullBackOff", timeout=_LONG
    )
    events = await engine_pods.client.list(EVENT, "default", fields="involvedObject.name=absent")
    assert any("ErrImagePull" in event["message"] for event in events.items)


async def test_a_server_in_a_container_is_reached_at_the_pods_address(engine_pods: Bench, local: Local) -> None:
    """It binds to all interfaces, and so does its neighbour, on the same port."""
    serve = "import http.server; http.server.test(http.server.SimpleHTTPRequestHandler, port=18473, bind='0.0.0.0')"
    probe = {"httpGet": {"port": 18473, "path": "/"}, "periodSeconds": 1}
    for name in ("one", "two"):
        container = {"image": local.python, "imagePullPolicy": "Never", "readinessProbe": probe}
        await engine_pods.create(name, "python3", "-c", serve, container=container)
    found = [
        await engine_pods.until(name, lambda pod: main(pod).get("ready"), timeout=_LONG) for name in ("one", "two")
    ]
    assert len({pod["status"]["podIP"] for pod in found}) == 2


async def test_probes_run_in_the_container_and_end_in_time(engine_pods: Bench, local: Local) -> None:
    """The liveness probe hangs from the second on: the container is restarted, and nothing of the probe is left."""
    script = "trap 'exit 0' TERM; echo up > /tmp/up; sleep 1000 & wait"
    probe = {"exec": {"command": ["sh", "-c", "cat /tmp/up; sleep 998"]}, "periodSeconds": 1, "failureThreshold": 1}
    await engine_pods.create(
        "probed",
        *("sh", "-c", script),
        container={"image": local.busybox, "imagePullPolicy": "Never", "livenessProbe": probe},
        restartPolicy="OnFailure",
    )
    pod = await engine_pods.until("probed", lambda pod: phase(pod) == "Succeeded", timeout=_LONG)
    events = await engine_pods.client.list(EVENT, "default", fields="involvedObject.name=probed")
    assert any("Liveness probe failed" in event["message"] for event in events.items), json.dumps(pod["status"])


async def test_a_long_log_is_kept_in_two_files_with_its_end(engine_pods: Bench, local: Local) -> None:
    line = "x" * 99
    pod = await run(engine_pods, "long", local.busybox, f"yes {line} | head -n 200000; printf end")
    assert phase(pod) == "Succeeded"
    folder = engine_pods.folder / "pods" / pod["metadata"]["uid"] / "main.0"
    assert sorted(path.name for path in folder.glob("log*")) == ["log", "log.1"]
    assert (await engine_pods.log("long", tail=1)) == "end"


async def test_a_container_is_talked_with_as_a_process_is(engine_pods: Bench, local: Local) -> None:
    script = "echo before; read line; echo got $line; sleep 1000 & wait"
    container = {"image": local.busybox, "imagePullPolicy": "Never", "stdin": True}
    await engine_pods.create("p", "sh", "-c", script, container=container, terminationGracePeriodSeconds=0)
    pod = await engine_pods.until("p", lambda found: phase(found) == "Running", timeout=_LONG)
    executions = engine_pods.executions
    talk = await executions.open(pod, "main", ["sh", "-c", "cat; echo err >&2; exit 3"], terminal=False)
    await talk.write(b"hello")
    talk.end_input()
    said = {1: b"", 2: b""}
    async with asyncio.timeout(_LONG):
        while (piece := await talk.read()) is not None:
            said[piece[0]] += piece[1]
    assert (said[1], said[2].strip(), await talk.result()) == (b"hello", b"err", 3)
    await talk.close()
    terminal = await executions.open(pod, "main", ["sh", "-c", "test -t 0 && echo is"], terminal=True)
    async with asyncio.timeout(_LONG):
        heard = await terminal.read()
    assert heard is not None and heard[1].strip() == b"is"
    await terminal.close()
    attached = await executions.attach(pod, "main", input=True)
    await attached.write(b"it\n")
    async with asyncio.timeout(_LONG):
        heard = await attached.read()
        while heard is not None and b"got it" not in heard[1]:
            heard = await attached.read()
    assert heard is not None
    await attached.close()
    assert "got it" in await engine_pods.log("p")
