"""What a scientist calls: start pipelines, look into runs, act on them. Synchronous; for scripts, notebooks, pods.

    from fairway.pipelines import sdk

    run = sdk.submit(my_pipeline, {"epochs": 3})
    run.wait()
    run.artifact("train/model").path()

Every function finds the platform by itself (`connect`), or takes it as `server`. What goes wrong is a `Failure` with
a sentence that says what to do. The standard library only; `kfp` is needed for compiling and submitting pipelines.

`wire` speaks HTTP, `finding` finds things by their names. `running`, `steps` and `artifacts` are about runs,
`following` watches them, `showing` draws them, `replaying` runs a step again right here. `submitting`, `uploading` and
`files` are about pipelines that start here; `recurring` and `triggering` about those that start by themselves, whose
pipelines `templating` tells. `options` are for steps, inside a pipeline function; `sensors` holds ready-made steps that
wait, and is imported by whoever uses it, since it needs kfp.
"""

from fairway.pipelines.sdk.approving import Approval, approvals
from fairway.pipelines.sdk.artifacts import Artifact
from fairway.pipelines.sdk.caching import clear_cache
from fairway.pipelines.sdk.connecting import connect
from fairway.pipelines.sdk.failures import Failure, NoAnswer, NotThere
from fairway.pipelines.sdk.files import PACKAGES, pipeline_in
from fairway.pipelines.sdk.notifying import Notice, find_notice, notices, notify
from fairway.pipelines.sdk.options import approval, cache, pool, sensor
from fairway.pipelines.sdk.pooling import Pool, delete_pool, pools, set_pool
from fairway.pipelines.sdk.recurring import Schedule, Slot, find_schedule, schedule, schedules
from fairway.pipelines.sdk.replaying import Replay, replay
from fairway.pipelines.sdk.running import Run, run, runs, submit
from fairway.pipelines.sdk.server import Server
from fairway.pipelines.sdk.showing import show
from fairway.pipelines.sdk.steps import OVER, Snapshot, Step
from fairway.pipelines.sdk.triggering import (
    Trigger,
    find_trigger,
    trigger_on_artifact,
    trigger_on_run,
    triggers,
    webhook,
)
from fairway.pipelines.sdk.uploading import Pipeline, find_pipeline, pipelines, upload

__all__ = [
    "OVER",
    "PACKAGES",
    "Approval",
    "Artifact",
    "Failure",
    "NoAnswer",
    "NotThere",
    "Notice",
    "Pipeline",
    "Pool",
    "Replay",
    "Run",
    "Schedule",
    "Server",
    "Slot",
    "Snapshot",
    "Step",
    "Trigger",
    "approval",
    "approvals",
    "cache",
    "clear_cache",
    "connect",
    "delete_pool",
    "find_notice",
    "find_pipeline",
    "find_schedule",
    "find_trigger",
    "notices",
    "notify",
    "pipeline_in",
    "pipelines",
    "pool",
    "pools",
    "replay",
    "run",
    "runs",
    "schedule",
    "schedules",
    "sensor",
    "set_pool",
    "show",
    "submit",
    "trigger_on_artifact",
    "trigger_on_run",
    "triggers",
    "upload",
    "webhook",
]
