"""Every route of the pipelines API, each with its errors answered in KFP's shape; the rest is refused by name."""

from __future__ import annotations

from aiohttp import web

from fairway.kernel.feature import Route
from fairway.kernel.objects import errors
from fairway.pipelines.api.answers import Handler, Unsupported, answer, guarded
from fairway.pipelines.api.approvals import Approvals
from fairway.pipelines.api.artifacts import ArtifactRecords
from fairway.pipelines.api.cache import Cache
from fairway.pipelines.api.content import Content
from fairway.pipelines.api.context import Context
from fairway.pipelines.api.control import Control
from fairway.pipelines.api.experiments import Experiments
from fairway.pipelines.api.logs import Logs
from fairway.pipelines.api.pipelines import Pipelines
from fairway.pipelines.api.pools import Pools
from fairway.pipelines.api.registering import Registering
from fairway.pipelines.api.replays import Replays
from fairway.pipelines.api.reporting import Reporting
from fairway.pipelines.api.reruns import Reruns
from fairway.pipelines.api.runs import Runs
from fairway.pipelines.api.stops import Stops
from fairway.pipelines.api.tasks import Tasks
from fairway.pipelines.api.uploads import Uploads
from fairway.pipelines.api.versions import Versions
from fairway.pipelines.notices.api import NoticeRecords
from fairway.pipelines.schedules.api import RecurringRuns
from fairway.pipelines.schedules.asking import SlotRequests
from fairway.pipelines.triggers.api import TriggerRecords
from fairway.pipelines.triggers.calls import Calls

COMPATIBLE_WITH = "2.17.0"
"""The release of Kubeflow Pipelines whose clients this API is for."""


def routes(context: Context) -> tuple[Route, ...]:
    rooms = (
        Experiments,
        Uploads,
        Pipelines,
        Versions,
        Runs,
        Control,
        Reruns,
        Replays,
        Tasks,
        Reporting,
        Approvals,
        Stops,
        Pools,
        Cache,
        Content,
        ArtifactRecords,
        Registering,
        Logs,
        Calls,
        TriggerRecords,
        NoticeRecords,
        RecurringRuns,
        SlotRequests,
    )
    found = [route for room in rooms for route in room(context).routes()]
    # Public: it says nothing but the release, and kfp.Client waits 25 s for it before it says what is wrong.
    health = Route("GET", "/apis/v2beta1/healthz", _health, public=True)
    return tuple(guarded(route) for route in (health, *found, *_refused()))


async def _health(_request: web.Request) -> web.Response:
    release = {"commit_sha": "unknown", "tag_name": COMPATIBLE_WITH}
    return answer({**release, "multi_user": False, "pipeline_store": "database"})


def _refused() -> tuple[Route, ...]:
    """What upstream has and we have not, and then everything else under the API's paths."""
    unsupported = (
        ("/apis/v2beta1/visualizations", "visualizations are not supported; use dsl.HTML or dsl.Markdown artifacts"),
        ("/apis/v2beta1/auth", "there is no AuthService; ask the Kubernetes API, with a SelfSubjectAccessReview"),
        ("/apis/v2beta1/workflows", "runs are no Argo workflows here, and nothing has to report them"),
        ("/apis/v2beta1/scheduledworkflows", "recurring runs are no objects here, and nothing has to report them"),
        ("/apis/v1beta1", "the v1beta1 API is not supported; use kfp 2.x, which calls /apis/v2beta1"),
    )
    refusals = []
    for prefix, sentence in unsupported:
        refuse = _refusing(sentence)
        refusals += [Route("*", path, refuse) for path in (prefix, f"{prefix}{{rest:[/:].*}}")]
    return (*refusals, Route("*", "/apis/v2beta1/{rest:.*}", _unknown))


def _refusing(sentence: str) -> Handler:
    async def refuse(_request: web.Request) -> web.Response:
        raise Unsupported(sentence)

    return refuse


async def _unknown(request: web.Request) -> web.Response:
    raise errors.NotFound(f"there is no {request.method} {request.path} in the pipelines API")
