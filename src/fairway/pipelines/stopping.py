"""A step that stops for a look (`set_debug_pause`), in its own pod, until it is told to go on. Standard library only.

It says where it stands in a file of its task folder, which the engine reads, and goes on once another file is there:
the API makes that one (`POST .../tasks/ID:continue`), and so may anybody who looks around in the pod.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

STOPPED, CONTINUE = "stopped", "continue"
"""Files of the task folder."""

BEFORE, AFTER, ON_ERROR = "before", "after", "on_error"
VARIABLES = {
    "ARGO_DEBUG_PAUSE_BEFORE": BEFORE,
    "ARGO_DEBUG_PAUSE_AFTER": AFTER,
    "ARGO_DEBUG_PAUSE_ON_ERROR": ON_ERROR,
}
"""The variables that upstream's SDK sets."""

_LOOK_AGAIN = 0.2


def stop(folder: str, where: str) -> None:
    """Wait here. Whoever ends the pod ends the wait too."""
    told, go_on = f"{folder}/{STOPPED}", f"{folder}/{CONTINUE}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(go_on)  # somebody said it twice, and the second word was for the stop before this one
    with open(f"{told}.part", "w", encoding="utf-8") as file:
        file.write(where)
    os.replace(f"{told}.part", told)
    print(f"fairway: {said(where)}. It goes on once there is a file {go_on}", file=sys.stderr, flush=True)
    while not os.path.exists(go_on):
        time.sleep(_LOOK_AGAIN)
    os.unlink(told)
    os.unlink(go_on)


def said(where: str) -> str:
    """
    >>> said("before")
    'stopped before the step begins, for a look'
    """
    place = {BEFORE: "before the step begins", AFTER: "after the step has run"}.get(where, "because the step failed")
    return f"stopped {place}, for a look"
