"""What runs in a step's pod: read the task folder, run the step, leave the outcome there. Standard library only.

    python3 -m fairway.pipelines.inpod file:///.../<task folder> [begin | collect]

A lightweight Python component runs in this very process (`lightweight`): no shell, no pip, and no new interpreter
where this one was forked warm. Any other command runs as a child. The outcome is one file that appears
at once, after everything else, so that it can be trusted by a server that was not there to see the pod end.

With a second argument the step itself is another container of the pod, in an image of its own: `begin` is what comes
before it, `collect` waits until it has ended and gathers what it made. Whether it ended well, the pod says.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any

from fairway.pipelines import collecting, far, fetching, lightweight, stopping
from fairway.pipelines.placeholders import LONGEST_ARGUMENT, Scene, UnknownPlaceholder

ALREADY_STARTED = 75
"""Exit status where another pod has begun this attempt before (EX_TEMPFAIL)."""

_REFERENCE = re.compile(r"\$(\$|\(([^()]+)\))")

_ROOM = 8 << 20
"""Bytes. With less left on the disk the outcome, and the platform's own records of it, may not be written."""


class StepFailed(Exception):
    """The step did not succeed. The text is what the run shows."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def run(arguments: list[str]) -> int:
    """Run the step in the folder that the one argument names; give the exit status."""
    if not arguments or (arguments[1:] and arguments[1:] not in (["begin"], ["collect"])):
        print("usage: python3 -m fairway.pipelines.inpod TASK_FOLDER [begin | collect]", file=sys.stderr)
        return 2
    folder = _local(arguments[0])
    with open(f"{folder}/task.json", "rb", buffering=0) as file:
        task: dict[str, Any] = json.loads(file.read())
    if arguments[1:] == ["collect"]:
        return _collect(task, folder)
    if not _claimed(folder):
        print("This attempt has begun in another pod before; it is not run a second time.", file=sys.stderr)
        return ALREADY_STARTED
    outcome: dict[str, Any]
    told: dict[str, Any] | None = None
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")  # as a new interpreter has it: a failure can be told
    try:
        _prepare(task, folder)
        if stopping.BEFORE in task.get("stops", ()):
            stopping.stop(folder, stopping.BEFORE)
        if arguments[1:]:
            return _opened(folder)
        if "fetch" in task:
            _fetch(task)
        elif task["python"]:
            told = _run_python(task, folder)
        else:
            _run_command(task)
        if stopping.AFTER in task.get("stops", ()):
            stopping.stop(folder, stopping.AFTER)
        outcome = {"succeeded": True, **collecting.collect(task, told)}
    except (StepFailed, collecting.BadOutput, fetching.CannotFetch, UnknownPlaceholder, OSError) as failure:
        print(f"fairway: {failure}", file=sys.stderr)
        if {stopping.AFTER, stopping.ON_ERROR} & set(task.get("stops", ())):
            stopping.stop(folder, stopping.ON_ERROR)
        message = f"{failure}{_missing(task)}{_make_room(folder)}"
        outcome = {"succeeded": False, "message": message, "code": getattr(failure, "code", 1)}
    collecting.leave(f"{folder}/outcome.json", outcome)
    return 0 if outcome["succeeded"] else int(outcome["code"]) or 1


def _opened(folder: str) -> int:
    """The container that follows may run as any user."""
    for name in ("outputs", "parameters"):
        os.chmod(f"{folder}/{name}", 0o777)  # noqa: S103
    return 0


def _collect(task: dict[str, Any], folder: str) -> int:
    """Wait to be told that the step's container has ended, then leave what it made. Digests would take too long here:
    the server reads them where it needs them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with open(f"{folder}/ready", "w"):
        pass
    signal.sigwait({signal.SIGTERM})
    outcome: dict[str, Any]
    try:
        outcome = {"succeeded": True, **collecting.collect({**task, "digests": False})}
    except (collecting.BadOutput, OSError) as failure:
        outcome = {"succeeded": False, "message": str(failure), "code": 1}
    collecting.leave(f"{folder}/outcome.json", {**outcome, "beside": True})
    return 0


def _local(address: str) -> str:
    path = address.removeprefix("file://")
    if not path.startswith("/"):
        raise SystemExit(f"the task folder {address} is not a file address; steps can only read folders yet")
    return path


def _claimed(folder: str) -> bool:
    """Make the marker that says this attempt has begun. False where it is there."""
    try:
        os.close(os.open(f"{folder}/started", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except FileExistsError:
        return False
    return True


def _prepare(task: dict[str, Any], folder: str) -> None:
    """Folders that a step may write to. Inputs of stores that nobody reads here are refused; other addresses are handed
    to the step as they are, as upstream does."""
    os.makedirs(f"{folder}/outputs", exist_ok=True)
    os.makedirs(f"{folder}/parameters", exist_ok=True)
    if workspace := task.get("workspace"):
        os.makedirs(workspace, exist_ok=True)
    for why in task.get("absent", ()):
        print(f"fairway: an input has no bytes here: {why}", file=sys.stderr)
    inputs = task["executorInput"].get("inputs", {}).get("artifacts", {})
    for name, entry in inputs.items():
        for artifact in entry["artifacts"]:
            if artifact.get("customPath"):
                continue
            if artifact["uri"].startswith(far.REFUSED):
                raise StepFailed(
                    f"input {name!r} is at {artifact['uri']}, which is not read here: copy it to a bucket, as in "
                    "s3://, or to this machine, and import that address"
                )
            if "://" in artifact["uri"]:
                print(f"fairway: input {name!r} is at {artifact['uri']} and is not copied here", file=sys.stderr)


def _missing(task: dict[str, Any]) -> str:
    """What the message of a step that failed is to say of inputs without bytes. A step need not read them all."""
    inputs = task["executorInput"].get("inputs", {}).get("artifacts", {})
    places = {
        name: place
        for name, entry in inputs.items()
        for item in entry["artifacts"]
        if (place := item.get("customPath") or item["uri"]).startswith("/") and not os.path.exists(place)
    }
    told = [f" (the input artifact {name!r} has no bytes: nothing is at {place})" for name, place in places.items()]
    return "".join(told)


def _make_room(folder: str) -> str:
    """A step that failed on a full disk must not take the platform with it: what it had written so far goes.

    Nobody reads the outputs of a failed step. Gives what the run's message is to say of it.
    """
    if shutil.disk_usage(folder).free >= _ROOM:
        return ""
    shutil.rmtree(f"{folder}/outputs", ignore_errors=True)
    temporary, pod = os.environ.get("TMPDIR", ""), os.environ.get("KFP_POD_UID", "")
    if pod and os.path.basename(os.path.dirname(temporary)) == pod:  # made for this pod; an author may name another
        shutil.rmtree(temporary, ignore_errors=True)
    return " (the disk is full: what this step had written was removed; free some space and run it again)"


def _scene(task: dict[str, Any], *, copies_only: bool = False) -> Scene:
    return Scene(task["executorInput"], defaults=task["defaults"], job=task["job"], copies_only=copies_only)


def _fetch(task: dict[str, Any]) -> None:
    """An importer's bytes, for the workspace."""
    for entry in task["fetch"].values():
        print(f"fetching {entry['from']} to {entry['to']}", flush=True)
        fetching.fetch(entry["from"], entry["to"])


def _run_python(task: dict[str, Any], folder: str) -> dict[str, Any] | None:
    """What the SDK's own bootstrap does, in this process. Gives what the function gave, where that is known here."""
    os.environ["_KFP_RUNTIME"] = "true"
    scene = _scene(task)
    try:
        told = lightweight.run(task["command"][-1], task["args"], scene.elements, task["executorInput"], folder)
        _wait_for_threads()
    except SystemExit as end:
        if end.code not in (None, 0):
            code = end.code & 0xFF or 1 if isinstance(end.code, int) else 1
            raise StepFailed(f"the step ended with exit status {end.code}", code) from end
        return None
    except Exception as failure:
        _print_from_user_code(failure)
        raise StepFailed(_last_line(failure)) from failure
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return told


def _run_command(task: dict[str, Any]) -> None:
    scene = _scene(task, copies_only=True)  # a program that reads the whole input knows addresses only
    command = scene.elements([_expanded(written) for written in (*task["command"], *task["args"])])
    if not command:
        raise StepFailed("the component has no command, and there is no image here whose own could be run")
    _check_length(command)
    try:
        child = subprocess.Popen(command)
    except FileNotFoundError:
        raise StepFailed(f"the command {command[0]!r} was not found", 127) from None
    except OSError as failure:
        raise StepFailed(f"the command {command[0]!r} cannot be run: {failure.strerror}", 126) from failure
    with _passed_on(child):
        status = child.wait()
    if status < 0:
        raise StepFailed(f"the command was ended by signal {-status}", 128 - status)
    if status:
        raise StepFailed(f"the command ended with exit status {status}", status)


def _expanded(written: str) -> str:
    """$(NAME) by the variable where there is one, $$ as a dollar: what the kubelet does with a container's command."""
    return _REFERENCE.sub(lambda found: "$" if found[1] == "$" else os.environ.get(found[2], found[0]), written)


def _check_length(command: list[str]) -> None:
    """The kernel's limit, which it would tell of with a number only."""
    for place, word in enumerate(command):
        if len(word.encode()) > LONGEST_ARGUMENT:
            raise StepFailed(
                f"argument {place} of the command has {len(word.encode()):,} bytes, and Linux passes at most "
                f"{LONGEST_ARGUMENT:,} in one: give so large an input as an artifact, or make the component a Python "
                "function (dsl.component), which gets it without a command line",
                126,
            )


@contextlib.contextmanager
def _passed_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """While the child runs, who asks us to stop asks it."""
    previous = signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _wait_for_threads() -> None:
    """As at the end of any interpreter: threads that are not daemons finish first."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def _print_from_user_code(failure: BaseException) -> None:
    """The traceback from the author's own function on, without our frames and kfp's."""
    trace = failure.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.endswith(f"/{lightweight.MODULE}.py"):
        trace = trace.tb_next
    traceback.print_exception(type(failure), failure, trace or failure.__traceback__)


def _last_line(failure: BaseException) -> str:
    return traceback.format_exception_only(failure)[-1].strip()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
