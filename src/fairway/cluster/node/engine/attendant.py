"""The process that stands for one container of an engine: its shepherd's child, its output the container's log.

    python3 -m fairway.cluster.node.engine.attendant '{"command": [...], "name": ..., "folder": ..., "memory": ...,
                                                       "input": ..., "terminal": ...}'

It starts the container, waits for its end, asks the engine how it was, leaves that for the shepherd (`told.json`) and
removes the container. It is told to end (SIGTERM) where its shepherd or the data directory is gone: the container goes
with it then. Signals for the container are sent by the engine, not through here. Standard library only.
"""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import sys
from typing import Any

from fairway.cluster.node.engine import oom
from fairway.cluster.node.shepherd import child, records

_PR_SET_PDEATHSIG = 1
_NEVER = "0001-01-01"
"""How engines write a time that has not come."""
_SIGNALS = range(129, 193)


def run(arguments: list[str]) -> int:
    order = json.loads(arguments[0])
    _end_with_shepherd(order)
    flags = ["--attach", *["--interactive"] * order["input"]]
    client = subprocess.Popen(
        [*order["command"], "start", *flags, order["name"]],
        stdin=None if order["input"] else subprocess.DEVNULL,
        start_new_session=not order["terminal"],  # which it is told the size of, where it has one
    )
    watch = oom.watch(lambda: _state(order), client.poll) if order["memory"] else None
    code = client.wait()
    state = _end(order)
    _quietly(order, "rm", "--force", "--volumes", order["name"])  # its control group goes too: the watch knows all now
    told = verdict(code, state, bool(watch and watch.killed()))
    records.write(order["folder"], records.TOLD, told)
    return int(told["code"])


def verdict(code: int, state: dict[str, Any] | None, killed: bool) -> dict[str, Any]:
    """What Kubernetes says of such an end. `code` is the engine's own, `state` what it knows of the container."""
    if state is None:
        return {"code": 137, "signal": int(signal.SIGKILL), "reason": "Error"}
    if state.get("StartedAt", _NEVER).startswith(_NEVER):
        return {"code": child.CANNOT_START, "reason": "StartError", "message": state.get("Error") or ""}
    code = int(state.get("ExitCode", code))
    number = code - 128 if code in _SIGNALS else 0
    if code and (killed or state.get("OOMKilled")):
        return {"code": code, "signal": number, "reason": "OOMKilled"}
    return {"code": code, "signal": number, "reason": "Error" if code else "Completed"}


def _end(order: dict[str, Any]) -> dict[str, Any] | None:
    """The state of a container that has ended. Who was attached to it may have been cut off before."""
    state = _state(order)
    while state is not None and state.get("Running"):
        _quietly(order, "wait", order["name"])
        state = _state(order)
    return state


def _state(order: dict[str, Any]) -> dict[str, Any] | None:
    done = subprocess.run(
        [*order["command"], "container", "inspect", order["name"]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        return None
    found = json.loads(done.stdout)
    return dict(found[0]["State"]) if found else None


def _quietly(order: dict[str, Any], *arguments: str) -> None:
    subprocess.run(
        [*order["command"], *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def _end_with_shepherd(order: dict[str, Any]) -> None:
    """A container that nobody would hear of must not run on."""

    def end(*_: object) -> None:
        _quietly(order, "rm", "--force", "--volumes", order["name"])

    signal.signal(signal.SIGTERM, end)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
