"""Volumes without a private file system view: paths below a mountPath are replaced by the real folder's.

The second best way, for machines that allow no mount namespaces: it reaches what is written in the command, its
arguments, the working directory and variables, and nothing that a program makes up by itself. Pure.
"""

from __future__ import annotations

from typing import Any

NOTE = (
    "this machine allows no private mounts, so paths below a mountPath were replaced in the command, its arguments and "
    "variables; paths that the program makes up by itself are not reached. Run as root or allow user namespaces."
)


def rewritten(request: dict[str, Any]) -> dict[str, Any]:
    """The start request with its mounts gone and its paths replaced."""
    places = sorted(((target, source) for source, target, _ in request["mounts"]), key=lambda place: -len(place[0]))
    if not places:
        return request
    result = {
        **request,
        "mounts": [],
        "argv": [path(text, places) for text in request["argv"]],
        "env": {name: path(value, places) for name, value in request["env"].items()},
        "cwd": path(request["cwd"], places),
    }
    if request.get("args"):
        result["args"] = [path(text, places) for text in request["args"]]
    return result


def path(text: str, places: list[tuple[str, str]]) -> str:
    """
    >>> [path(text, [("/data", "/real")]) for text in ("/data/x", "--in=/data/x", "/database")]
    ['/real/x', '--in=/real/x', '/database']
    """
    option, equals, value = text.partition("=") if text.startswith("-") else ("", "", text)
    for target, source in places:
        if value == target or value.startswith(target.rstrip("/") + "/"):
            return option + equals + source + value[len(target.rstrip("/")) :]
    return text
