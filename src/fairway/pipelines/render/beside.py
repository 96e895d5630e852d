"""A step in an image of its own, and what runs beside it: `inpod` before it and after it, in containers of ours.

    begin (init container) -> main: the author's image and command -> collect (sidecar, told to end once main has ended)

For images that a cluster runs as containers: whatever is in them, Python or not, they see the task folder, their inputs
and nothing of ours. Placeholders are replaced here, since nothing in the image could. How the main container ended is
the pod's to say; what it made is in the outcome that `collect` leaves. A step of an image that runs as a process is one
container instead (`pods`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.kernel.objects import images
from fairway.kernel.objects.kinds import Object
from fairway.pipelines import ir
from fairway.pipelines.ir.model import Importer
from fairway.pipelines.placeholders import LONGEST_ARGUMENT, Scene, UnknownPlaceholder
from fairway.pipelines.render import folders, inputs, settings, workspaces
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Instance, RunFacts
from fairway.pipelines.stopping import BEFORE

RUNTIME = "fairway.dev/runtime"
IMAGE = "fairway/step"
BEGIN, COLLECT, READY = "begin", "collect", "ready"
"""The second argument of `inpod`, and the file that says that it will notice the end of the main container."""


def needed(run: RunFacts, instance: Instance, asked: Object) -> bool:
    """Whether the step's image runs as a container where the run is. Nothing of ours is in such an image."""
    if isinstance(instance.component.body, Importer) or run.processes is None:
        return False
    wanted = (asked["metadata"].get("annotations") or {}).get(RUNTIME)
    image = asked["spec"]["containers"][0]["image"]
    return bool(wanted == "container" or (wanted != "process" and not images.fits(image, run.processes)))


def spec(
    pipeline: ir.Pipeline, run: RunFacts, instance: Instance, command: list[str], asked: dict[str, Any]
) -> dict[str, Any]:
    """The pod's spec. `command` runs `inpod`, `asked` is what the author asks for. Raises InputError."""
    body = settings.container(instance)
    if set(body.stops) - {BEFORE}:
        raise InputError(
            f"the image {body.image} runs as a container, and such a step can stop for a look before it begins only: "
            "take the other kinds of set_debug_pause away"
        )
    address = folders.address(pipeline, run, instance)
    folder = folders.path(address)
    scene = _scene(pipeline, run, instance, folder)
    main = asked["containers"][0] | {"name": "main"}
    for key, words in (("command", body.command), ("args", body.args)):
        if words:
            main[key] = _words(scene, words)
    # Read-only, but for the folders that are the step's own, which are mounted over it.
    mounts = [*((place, True) for place in _given(run, instance)), (folder, False)]
    if workspaces.used(pipeline, run, instance):
        mounts.append((run.workspace(pipeline), False))
    volumes = [{"name": f"files-{number}", "hostPath": {"path": path}} for number, (path, _) in enumerate(mounts)]
    own = [
        {"name": f"files-{number}", "mountPath": path, "readOnly": read_only}
        for number, (path, read_only) in enumerate(mounts)
    ]
    main["volumeMounts"] = [*(main.get("volumeMounts") or ()), *own]
    ready = {"exec": {"command": ["test", "-e", f"{folder}/{READY}"]}, "periodSeconds": 1, "failureThreshold": 60}
    return {
        **asked,
        "initContainers": [
            {"name": BEGIN, "image": IMAGE, "command": command, "args": [address, BEGIN]},
            {
                "name": COLLECT,
                "image": IMAGE,
                "command": command,
                "args": [address, COLLECT],
                "restartPolicy": "Always",
                "startupProbe": ready,
            },
        ],
        "containers": [main],
        "volumes": [*(asked.get("volumes") or ()), *volumes],
    }


def _scene(pipeline: ir.Pipeline, run: RunFacts, instance: Instance, folder: str) -> Scene:
    """Kubernetes puts variables into what the author wrote, as $(NAME), and not into what is put in here."""
    given = folders.executor_input(instance, folder, folders.remote(pipeline, run, instance))
    besides, job = inputs.defaults(instance.component), inputs.job_values(pipeline, run, instance)
    return Scene(_as_it_is(given), defaults=_as_it_is(besides), job=_as_it_is(job), copies_only=True)


def _as_it_is(value: Any) -> Any:
    """With every dollar doubled, which is how Kubernetes is told of one."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _as_it_is(item) for key, item in value.items()}
    return [_as_it_is(item) for item in value] if isinstance(value, list) else value


def _words(scene: Scene, written: tuple[str, ...]) -> list[str]:
    try:
        words = scene.elements(written)
    except UnknownPlaceholder as unknown:
        raise InputError(f"the command of the step: {unknown}") from unknown
    if any(len(word.encode()) > LONGEST_ARGUMENT for word in words):
        raise InputError(
            f"an argument of the command has more than {LONGEST_ARGUMENT:,} bytes, which is the most that Linux passes "
            "in one: give so large an input as an artifact"
        )
    return words


def _given(run: RunFacts, instance: Instance) -> list[str]:
    """Where inputs lie: a folder for each pipeline that made some, and what is elsewhere by itself. The root of them
    all can be entered by nobody but us, and the image may run as somebody else."""
    places = [item.copy or folders.path(item.uri) for item in instance.inputs.given()]
    root = f"{folders.path(run.root)}/"
    found = {
        root + place.removeprefix(root).partition("/")[0] if place.startswith(root) else place
        for place in places
        if place.startswith("/")
    }
    return sorted(found)
