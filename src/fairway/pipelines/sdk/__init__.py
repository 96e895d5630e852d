"""What a scientist calls: start pipelines, look into runs, act on them. Synchronous; for scripts, notebooks, pods.

    from fairway.pipelines import sdk

    run = sdk.submit(my_pipeline, {"epochs": 3})
    run.wait()
    run.artifact("train/model").path()

Every function finds the platform by itself (`connect`), or takes it as `server`. What goes wrong is a `Failure` with
a sentence that says what to do. The standard library only; `kfp` is needed for compiling and submitting pipelines.

`wire` speaks HTTP. `running`, `steps` and `artifacts` are the nouns, `following` watches them, `submitting` and `files`
are about pipelines that start here. `options` are for steps, inside a pipeline function; `sensors` holds ready-made
steps that wait, and is imported by whoever uses it, since it needs kfp. `replaying` runs a step again right here.
"""

from fairway.pipelines.sdk.artifacts import Artifact
from fairway.pipelines.sdk.connecting import connect
from fairway.pipelines.sdk.failures import Failure, NoAnswer, NotThere
from fairway.pipelines.sdk.files import PACKAGES, pipeline_in
from fairway.pipelines.sdk.options import approval, cache, pool, sensor
from fairway.pipelines.sdk.replaying import Replay, replay
from fairway.pipelines.sdk.running import Run, run, runs, submit
from fairway.pipelines.sdk.server import Server
from fairway.pipelines.sdk.showing import show
from fairway.pipelines.sdk.steps import OVER, Snapshot, Step

__all__ = [
    "OVER",
    "PACKAGES",
    "Artifact",
    "Failure",
    "NoAnswer",
    "NotThere",
    "Replay",
    "Run",
    "Server",
    "Snapshot",
    "Step",
    "approval",
    "cache",
    "connect",
    "pipeline_in",
    "pool",
    "replay",
    "run",
    "runs",
    "sensor",
    "show",
    "submit",
]
