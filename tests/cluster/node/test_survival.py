"""Bad days: the server dies, a shepherd dies. Nothing runs twice, nothing that ended is lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

from fairway.kernel.clock import FakeClock, parse
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import NODE, POD, Object

from .conftest import NODE as NAME
from .conftest import Bench, main, phase, state


async def test_a_running_pod_is_found_again(bench: Bench) -> None:
    async with bench.node():
        await bench.create("stays", "sh", "-c", "echo begun; until test -e $HOME/go; do sleep 0.02; done; exit 4")
        before = await bench.until("stays", lambda pod: state(pod, "running"))
        await bench.said("stays", "begun")
    async with bench.node():
        (bench.folder / "pods" / before["metadata"]["uid"] / "home" / "go").touch()
        after = await bench.over("stays")
        assert (state(after, "terminated")["exitCode"], main(after)["restartCount"]) == (4, 0)
        assert after["status"]["podIP"] == before["status"]["podIP"]
        assert await bench.log("stays") == "begun\n"


async def test_a_pod_that_ran_on_is_as_ready_as_it_was(bench: Bench) -> None:
    """Whoever sends it requests never hears that it is not, and its postStart hook does not run again."""
    probe = {"exec": {"command": ["sh", "-c", "echo look >> $HOME/looks"]}, "periodSeconds": 1}
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "echo begun >> $HOME/hooks"]}}}
    async with bench.node():
        await bench.create("serves", "sleep", "1000", container={"readinessProbe": probe, "lifecycle": hook})
        before = await bench.until("serves", lambda pod: conditions.is_true(pod, "Ready"))
    home = bench.folder / "pods" / before["metadata"]["uid"] / "home"
    (home / "looks").unlink()
    async with bench.node() as node:
        await _exists(home / "looks")
        after = await bench.client.get(POD, "serves", "default")
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        assert (home / "hooks").read_text() == "begun\n"
        await node.shutdown(stop_pods=True)


async def test_a_node_says_when_it_wrote_of_itself_and_since_when_it_is_ready(bench: Bench) -> None:
    told = []
    for hour in ("10", "11"):
        async with bench.node(FakeClock(start=parse(f"2026-01-01T{hour}:00:00Z"))):
            ready = conditions.find(await bench.client.get(NODE, NAME), "Ready")
            assert ready is not None
            told.append((ready["lastHeartbeatTime"], ready["lastTransitionTime"]))
    assert told == [("2026-01-01T10:00:00Z",) * 2, ("2026-01-01T11:00:00Z", "2026-01-01T10:00:00Z")]


async def test_an_end_that_nobody_saw_is_told_later(bench: Bench) -> None:
    async with bench.node():
        await bench.create("ends", "sh", "-c", "until test -e $HOME/go; do sleep 0.02; done; exit 6")
        pod = await bench.until("ends", lambda pod: state(pod, "running"))
    folder = bench.folder / "pods" / pod["metadata"]["uid"]
    (folder / "home" / "go").touch()
    await _exists(folder / "main.0" / "exit.json")
    async with bench.node():
        assert state(await bench.over("ends"), "terminated")["exitCode"] == 6


async def test_whenever_the_agent_dies_each_pod_runs_exactly_once(bench: Bench, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    names = [f"step-{number}" for number in range(30)]
    for name in names:
        await bench.create(name, "sh", "-c", f"echo $HOSTNAME >> {diary}")
    for life in (0.0, 0.01, 0.03, 0.05, 0.08):
        async with bench.node():
            await asyncio.sleep(life)
    async with bench.node():
        assert {phase(await bench.over(name)) for name in names} == {"Succeeded"}
    assert sorted(diary.read_text().split()) == sorted(names)


async def test_a_pod_that_was_deleted_meanwhile_is_stopped(bench: Bench) -> None:
    async with bench.node():
        await bench.create("goes", "sleep", "1000")
        pod = await bench.until("goes", lambda pod: state(pod, "running"))
        pid = _record(bench, pod)["pid"]
    await bench.client.delete(POD, "goes", "default", grace_seconds=0)
    async with bench.node():
        await bench.gone("goes")
        await bench.swept(pod)
    assert not _alive(pid)


async def test_a_shepherd_that_is_killed_takes_its_containers_with_it(pods: Bench) -> None:
    await pods.create("orphan", "sh", "-c", "sleep 1000; echo never")
    pod = await pods.until("orphan", lambda pod: state(pod, "running"))
    pid = _record(pods, pod)["pid"]
    os.kill(_parent(pid), signal.SIGKILL)
    pod = await pods.over("orphan")
    ended = state(pod, "terminated")
    assert (phase(pod), ended["exitCode"], ended["reason"]) == ("Failed", 137, "ContainerStatusUnknown")
    async with asyncio.timeout(60):
        while _alive(pid):
            await asyncio.sleep(0.01)
    await pods.create("next", "true")
    assert phase(await pods.over("next")) == "Succeeded"


async def test_a_stopped_node_ends_its_pods_and_takes_the_blame(bench: Bench) -> None:
    async with bench.node() as node:
        await bench.create("step", "sleep", "1000")
        await bench.create("server", "sleep", "1000", restartPolicy="Always")
        for name in ("step", "server"):
            await bench.until(name, lambda pod: state(pod, "running"))
        await node.shutdown(stop_pods=True)
        step = await bench.over("step")
        assert step["status"]["reason"] == "Terminated"
        assert any(each["type"] == "DisruptionTarget" for each in step["status"]["conditions"])
    async with bench.node() as node:
        server = await bench.until("server", lambda pod: main(pod)["restartCount"] == 1 and state(pod, "running"))
        assert main(server)["lastState"]["terminated"]["exitCode"] == 143
        await node.shutdown(stop_pods=True)


async def _exists(path: Path) -> None:
    async with asyncio.timeout(60):
        while not path.exists():
            await asyncio.sleep(0.01)


def _record(bench: Bench, pod: Object) -> dict[str, int]:
    record = bench.folder / "pods" / pod["metadata"]["uid"] / "main.0" / "record.json"
    content: dict[str, int] = json.loads(record.read_text())
    return content


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_pod_of_which_somebody_wrote_another_address_keeps_its_own(bench: Bench) -> None:
    """Whoever may write a pod's status could name another pod's address, or nothing that a node can read."""
    async with bench.node():
        for name in ("first", "second"):
            await bench.create(name, "sleep", "1000")
        first, second = [await bench.until(name, lambda pod: state(pod, "running")) for name in ("first", "second")]
    ours = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in (first, second)}
    for name, said in (("first", ours["second"]), ("second", "nowhere")):
        await bench.client.patch(POD, name, "default", {"status": {"podIP": said}}, subresource="status")
    async with bench.node() as node:
        for name, address in ours.items():
            await bench.until(name, lambda pod, address=address: pod["status"]["podIP"] == address)
        await node.shutdown(stop_pods=True)


async def test_records_that_a_power_failure_left_empty_stop_no_other_pod(bench: Bench) -> None:
    async with bench.node():
        for name in ("lost", "stays"):
            await bench.create(name, "sleep", "1000")
        lost, _ = [await bench.until(name, lambda pod: state(pod, "running")) for name in ("lost", "stays")]
    folder = bench.folder / "pods" / lost["metadata"]["uid"] / "main.0"
    os.kill(_record(bench, lost)["pid"], signal.SIGKILL)
    await _exists(folder / "exit.json")
    for name in ("record.json", "exit.json"):
        (folder / name).write_bytes(b"")
    async with bench.node() as node:
        assert state(await bench.over("lost"), "terminated")["reason"] == "ContainerStatusUnknown"
        assert state(await bench.client.get(POD, "stays", "default"), "running")
        await node.shutdown(stop_pods=True)
