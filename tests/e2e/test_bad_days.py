"""Bad days as a user meets them: each says in one sentence what to do next, and none loses what was acknowledged."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from fairway.cli import connection
from fairway.cluster.node.shepherd import records
from tests.e2e.conftest import FAIRWAY, Installation, eventually, processes_of
from tests.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NEEDS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root may do this to a folder")
KUBECTL = shutil.which("kubectl") or shutil.which("kubectl132")
NEEDS_KUBECTL = pytest.mark.skipif(KUBECTL is None, reason="no kubectl on this machine")

PIPELINES = """
from kfp import dsl

@dsl.component
def divide(by: int) -> float:
    print("about to divide")
    return 1 / by

@dsl.component
def doze(seconds: int) -> int:
    import time
    time.sleep(seconds)
    return seconds

@dsl.component
def fill(out: dsl.Output[dsl.Dataset]):
    with open(out.path, "wb") as file:
        for _ in range(1000):
            file.write(bytes(1_000_000))

@dsl.component
def fill_temporary():
    import tempfile
    with tempfile.NamedTemporaryFile(delete=False) as file:
        for _ in range(1000):
            file.write(bytes(1_000_000))

@dsl.container_component
def foreign():
    return dsl.ContainerSpec(image="ghcr.io/nobody/nothing:1", command=["true"])

@dsl.pipeline
def dividing(by: int):
    divide(by=by).set_caching_options(False)

@dsl.pipeline
def dozing(seconds: int):
    doze(seconds=seconds).set_caching_options(False)

@dsl.pipeline
def filling():
    fill().set_caching_options(False)

@dsl.pipeline
def filling_temporary():
    fill_temporary().set_caching_options(False)

@dsl.pipeline
def strange():
    foreign()

@dsl.pipeline
def greedy():
    doze(seconds=0).set_cpu_request("900").set_caching_options(False)
"""

STUCK = """
apiVersion: v1
kind: Pod
metadata: {name: without-config}
spec:
  containers:
  - {name: main, image: busybox, command: [sleep, "100"],
     env: [{name: A, valueFrom: {configMapKeyRef: {name: nowhere, key: a}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: without-secret}
spec:
  containers: [{name: main, image: busybox, command: [sleep, "100"], volumeMounts: [{name: v, mountPath: /v}]}]
  volumes: [{name: v, secret: {secretName: nowhere}}]
"""


def sentence(result: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed said: one line on standard error, and no traceback."""
    assert result.returncode == 1, result.stdout + result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("fairway: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.rstrip().endswith(lines[0])
    return lines[0].removeprefix("fairway: ")


@pytest.fixture
def pipelines(tmp_path: Path) -> Path:
    path = tmp_path / "pipelines.py"
    path.write_text(PIPELINES)
    return path


# Starting


@pytest.mark.parametrize("detach", [(), ("--detach",)])
def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path, detach: tuple[str, ...]) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    said = sentence(Installation(file, free_port()).fairway("up", *detach, check=False))
    assert "is a file" in said
    assert "--data-dir" in said
    assert file.read_text() == "precious"


@NEEDS_ROOT
@pytest.mark.parametrize("detach", [(), ("--detach",)])
def test_a_data_directory_of_somebody_else_is_left_untouched(tmp_path: Path, detach: tuple[str, ...]) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    said = sentence(Installation(folder, free_port()).fairway("up", *detach, check=False))
    assert "belongs to another user" in said
    assert "--data-dir" in said
    assert not list(folder.iterdir())


def test_a_port_that_does_not_exist_is_named(installation: Installation) -> None:
    said = sentence(installation.fairway("up", "--port", "99999", check=False))
    assert "99999" in said
    assert "--port" in said


def test_of_two_servers_started_at_once_one_runs_and_the_other_says_so(installation: Installation) -> None:
    environment = {**os.environ, "FAIRWAY_DATA_DIR": str(installation.folder), "HOME": str(installation.folder.parent)}
    starts = [
        subprocess.Popen(
            [*FAIRWAY, "up", "--detach", "--quiet", "--port", str(free_port())],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [start.communicate(timeout=60)[1] for start in starts]
    assert sorted(start.returncode for start in starts) == [0, 1], said
    refusal = next(text for start, text in zip(starts, said, strict=True) if start.returncode)
    assert "in use by another server" in refusal
    assert "Traceback" not in refusal
    assert installation.status()["ready"]


def test_a_kubeconfig_that_leads_nowhere_is_named_with_the_way_out(tmp_path: Path, platform: Installation) -> None:
    good = (platform.folder / "kubeconfig").read_text()
    server, token = platform.server.api_url, platform.server.token
    (tmp_path / "nowhere").write_text(good.replace(server, "https://127.0.0.1:9"))
    (tmp_path / "stranger").write_text(good.replace(token, "not-a-token"))
    here = Installation(tmp_path / "data", free_port())
    for name, words in (
        ("missing", "give another file"),
        ("nowhere", "does not answer"),
        ("stranger", "does not accept the credential"),
    ):
        said = sentence(here.fairway("up", "--kubeconfig", str(tmp_path / name), "--detach", check=False))
        assert words in said
        assert str(tmp_path / name) in said


# Pipelines


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("syntax.py", "def pipeline(:\n", "syntax.py, line 1"),
        ("raises.py", "x = 1\ny = x / 0\n", "raises.py, line 2: ZeroDivisionError"),
        ("none.py", "x = 1\n", "decorate a function with @dsl.pipeline"),
        ("missing.py", None, "is not a file"),
        ("broken.yaml", "a: [b\n", "is not a pipeline"),
        (
            "invalid.yaml",
            "pipelineInfo: {name: x}\nschemaVersion: 2.1.0\n"
            "root: {dag: {tasks: {a: {componentRef: {name: comp-a}, taskInfo: {name: a}}}}}\n",
            "root.dag.tasks.a: there is no component 'comp-a'",
        ),
    ],
)
def test_a_broken_pipeline_file_is_told_with_its_place(
    platform: Installation, tmp_path: Path, file: str, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / file).write_text(content)
    said = sentence(platform.fairway("run", str(tmp_path / file), check=False))
    assert words in said
    assert file in said or "root.dag" in said


def test_wrong_parameters_are_named_before_anything_runs(platform: Installation, pipelines: Path) -> None:
    run = ("run", str(pipelines), "--pipeline", "dividing")
    assert "needs a value for by" in sentence(platform.fairway(*run, check=False))
    unknown = platform.fairway(*run, "--param", "by=1", "--param", "extra=1", check=False)
    assert "no parameter extra; it has by" in sentence(unknown)


def test_a_step_that_raises_ends_the_run_with_its_last_line(platform: Installation, pipelines: Path) -> None:
    words = ("run", str(pipelines), "--pipeline", "dividing", "--param", "by=0")
    result = platform.fairway(*words, check=False)
    assert result.returncode == 1
    assert "FAILED: step 'divide' failed: ZeroDivisionError: division by zero" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_a_step_with_an_image_that_cannot_run_here_fails_with_the_reason(
    platform: Installation, pipelines: Path
) -> None:
    result = platform.fairway("run", str(pipelines), "--pipeline", "strange", check=False, timeout=60)
    assert result.returncode == 1
    assert "FAILED: step 'foreign' failed" in result.stdout
    assert "ghcr.io/nobody/nothing:1" in result.stdout
    assert "Use one of these images" in result.stdout


def test_a_step_that_asks_for_too_much_says_why_it_waits(platform: Installation, pipelines: Path) -> None:
    run_id = platform.fairway("run", str(pipelines), "--pipeline", "greedy", "--no-follow").stdout.split()[-1]

    def said() -> str:
        tasks = platform.server.call("GET", f"/apis/v2beta1/runs/{run_id}/tasks")["tasks"]
        return " ".join(str((task.get("error") or {}).get("message")) for task in tasks)

    eventually(lambda: "Insufficient cpu" in said())
    platform.server.call("POST", f"/apis/v2beta1/runs/{run_id}:terminate")


# Objects


def kubectl(installation: Installation, *words: str, stdin: str = "", check: bool = True) -> str:
    command = [str(KUBECTL), "--kubeconfig", str(installation.folder / "kubeconfig"), *words]
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30, check=False)
    assert not check or result.returncode == 0, result.stderr
    return result.stdout + result.stderr


def service(name: str, model: Path) -> str:
    model_format = {"modelFormat": {"name": "sklearn"}, "storageUri": model.as_uri()}
    return json.dumps(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": name},
            "spec": {"predictor": {"model": model_format}},
        }
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of folders: good, garbage, two; and no folder `missing`."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("good", "garbage", "two"):
        (folder / name).mkdir()
    line = np.arange(10).reshape(-1, 1)
    for path in ("good/model.joblib", "two/a.joblib", "two/b.joblib"):
        joblib.dump(LinearRegression().fit(line, line[:, 0] * 2.0), folder / path)
    (folder / "garbage" / "model.joblib").write_bytes(bytes(range(256)))
    return folder


def predict(installation: Installation, name: str) -> Any:
    """The prediction for 3, or None where the service does not answer."""
    url = f"http://127.0.0.1:{installation.port}/serving/default/{name}/v1/models/{name}:predict"
    request = urllib.request.Request(
        url, b'{"instances": [[3]]}', {"Authorization": f"Bearer {installation.server.token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return round(json.load(answer)["predictions"][0], 6)
    except OSError:
        return None


@pytest.fixture
def served(platform: Installation, models: Path) -> Installation:
    """The platform with a good model at `line`."""
    kubectl(platform, "apply", "-f", "-", stdin=service("line", models / "good"))
    eventually(lambda: predict(platform, "line") == 6.0)
    return platform


@NEEDS_KUBECTL
@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("garbage", "is not a model that joblib can load"),
        ("missing", "does not exist; set storageUri"),
        ("two", "has 2 model files (a.joblib, b.joblib); keep one"),
    ],
)
def test_a_model_that_does_not_load_is_told_in_a_condition(
    platform: Installation, models: Path, model: str, words: str
) -> None:
    kubectl(platform, "apply", "-f", "-", stdin=service(model, models / model))
    eventually(lambda: words in kubectl(platform, "describe", "inferenceservice", model))
    assert words in platform.status()["services"][f"default/{model}"]
    kubectl(platform, "delete", "inferenceservice", model)


@NEEDS_KUBECTL
def test_a_new_version_that_does_not_load_leaves_the_old_one_serving(served: Installation, models: Path) -> None:
    kubectl(served, "apply", "-f", "-", stdin=service("line", models / "garbage"))
    eventually(lambda: "joblib can load" in kubectl(served, "describe", "inferenceservice", "line"))
    assert predict(served, "line") == 6.0
    kubectl(served, "apply", "-f", "-", stdin=service("line", models / "good"))
    eventually(lambda: "joblib can load" not in kubectl(served, "describe", "inferenceservice", "line"))
    assert predict(served, "line") == 6.0


@NEEDS_KUBECTL
def test_an_image_that_cannot_run_here_is_told_by_the_pod_and_an_event(platform: Installation) -> None:
    kubectl(platform, "run", "foreign", "--image=ghcr.io/nobody/nothing:1", "--restart=Never")
    eventually(lambda: "cannot be run as a process on this machine" in kubectl(platform, "describe", "pod", "foreign"))
    assert "ImageNotInCatalogue" in kubectl(platform, "get", "pods", "foreign")
    kubectl(platform, "delete", "pod", "foreign")


# Killed


def gateways(one: Installation) -> list[int]:
    return [pid for pid, command in processes_of(one.folder).items() if "/envoy " in command]


def shepherds(one: Installation) -> list[int]:
    """With the containers that were forked from them, which have their command line."""
    return [pid for pid, command in processes_of(one.folder).items() if "fairway.cluster.node.shepherd" in command]


def containers(one: Installation) -> list[int]:
    found = [json.loads(path.read_text()) for path in one.folder.glob(f"node/pods/*/*/{records.RECORD}")]
    return [record["pid"] for record in found if records.start_ticks(record["pid"]) == record["ticks"]]


@NEEDS_KUBECTL
@pytest.mark.parametrize("victims", [gateways, shepherds, containers])
def test_whatever_is_killed_comes_back_and_the_service_answers(
    served: Installation, victims: Callable[[Installation], list[int]]
) -> None:
    doomed = victims(served)
    assert doomed
    for pid in doomed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(map(connection.start_time, doomed)))
    eventually(lambda: predict(served, "line") == 6.0)


@NEEDS_KUBECTL
def test_a_server_killed_while_it_serves_comes_back_with_up(served: Installation) -> None:
    served.kill()
    assert not served.status()["running"]
    served.up()
    eventually(lambda: predict(served, "line") == 6.0)


# Ended


def test_a_start_that_is_ended_leaves_nothing_running(tmp_path: Path) -> None:
    for number, seconds in ((signal.SIGTERM, 0.3), (signal.SIGINT, 0.9), (signal.SIGTERM, 1.3)):
        one = Installation(tmp_path / f"{number}-{seconds}", free_port())
        words = ["up", "--quiet", "--data-dir", str(one.folder), "--port", str(one.port)]
        # Whoever runs the tests in the background has them ignore SIGINT; a terminal has not.
        heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        start = subprocess.Popen(
            [*FAIRWAY, *words], stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heard
        )
        time.sleep(seconds)
        os.killpg(start.pid, number)  # as a terminal's Ctrl-C, which reaches all of a group
        _, said = start.communicate(timeout=60)
        assert start.returncode in (0, 130, -number)
        assert "Traceback" not in said
        eventually(lambda one=one: not processes_of(one.folder), seconds=60)


@NEEDS_KUBECTL
def test_stop_is_quick_during_a_run_and_with_pods_that_are_stuck(installation: Installation, pipelines: Path) -> None:
    installation.up()
    words = ("run", str(pipelines), "--pipeline", "dozing", "--param", "seconds=100", "--no-follow")
    installation.fairway(*words)
    kubectl(installation, "apply", "-f", "-", stdin=STUCK)
    eventually(lambda: kubectl(installation, "get", "pods").count("CreateContainerConfigError") == 2)
    begun = time.monotonic()
    installation.stop()
    assert time.monotonic() - begun < 25  # nobody gets the 30 s that a pod may ask for
    eventually(lambda: not processes_of(installation.folder), seconds=60)


@NEEDS_KUBECTL
def test_a_platform_whose_data_directory_was_deleted_ends_by_itself(installation: Installation) -> None:
    server = installation.up()
    kubectl(installation, "apply", "-f", "-", stdin=STUCK)
    kubectl(installation, "run", "busy", "--image=busybox", "--", "sleep", "1000")
    eventually(lambda: "Running" in kubectl(installation, "get", "pod", "busy"))
    with (installation.folder / "server.log").open() as log:
        gone = installation.folder.rename(installation.folder.with_name("gone"))
        shutil.rmtree(gone, ignore_errors=True)  # some of it may be written to at this very moment
        eventually(lambda: not server.alive(), seconds=60)
        assert "was removed while the platform ran" in log.read()
    eventually(lambda: not processes_of(installation.folder), seconds=60)


# A full disk


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A platform that runs on a disk of 24 MiB."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    one = Installation(folder, free_port())
    try:
        one.up()
        yield one
    finally:
        one.fairway("stop", check=False)
        eventually(lambda: not processes_of(folder), seconds=60)
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, name: str = "filler") -> Path:
    filler = folder / name
    try:
        with filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
    except OSError:
        return filler
    raise AssertionError("the disk did not fill up")


def test_a_step_that_fills_the_disk_fails_and_the_platform_goes_on(small_disk: Installation, pipelines: Path) -> None:
    for pipeline in ("filling", "filling_temporary"):
        result = small_disk.fairway("run", str(pipelines), "--pipeline", pipeline, check=False)
        assert result.returncode == 1
        assert "No space left on device (the disk is full: what this step had written was removed" in result.stdout
    words = ("run", str(pipelines), "--pipeline", "dozing", "--param", "seconds=0")
    assert "SUCCEEDED" in small_disk.fairway(*words).stdout


@NEEDS_KUBECTL
def test_a_full_disk_is_told_and_loses_nothing(small_disk: Installation, pipelines: Path) -> None:
    kubectl(small_disk, "create", "configmap", "before")
    filler = fill(small_disk.folder)
    assert "the disk is full; free some space" in kubectl(small_disk, "create", "configmap", "refused", check=False)
    words = ("run", str(pipelines), "--pipeline", "dozing", "--param", "seconds=0")
    assert "the disk is full" in sentence(small_disk.fairway(*words, check=False))
    small_disk.stop()
    more = fill(small_disk.folder, "more")  # the server tidied up as it ended
    said = sentence(small_disk.fairway("up", "--detach", check=False))
    assert "No space left" in said or "disk is full" in said
    filler.unlink()
    more.unlink()
    small_disk.up()
    there = kubectl(small_disk, "get", "configmaps")
    assert "before" in there
    assert "refused" not in there
    assert "SUCCEEDED" in small_disk.fairway(*words).stdout
