"""Which path is what: the application that `wire` hands its calls to, and good answers for everything else.

Health, metadata and metrics are answered on the event loop; predictions go to the lane of their model. A program that
speaks for itself has the paths it names, but for the server's own health and metrics.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from fairway.serving.inpod import triton, v1, v2
from fairway.serving.inpod.batching import failed
from fairway.serving.inpod.changes import Change
from fairway.serving.inpod.messages import Answer, Call, Refusal, Request, encode, okay
from fairway.serving.inpod.metrics import Metrics
from fairway.serving.inpod.repository import Repository
from fairway.serving.inpod.served import Served
from fairway.serving.inpod.work import Dialogue, Outcome

METRICS, READY = "/metrics", "/v2/health/ready"
EXTENSIONS = (
    "binary_tensor_data", "model_repository", "model_configuration", "statistics", "parameters", "classification",
)  # fmt: skip

_V1 = re.compile(r"/v1/models/([^/:]+)(?::(predict|explain))?/?")
_V2 = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(?:/(\w+))?/?")
_CHANGE = re.compile(r"/v2/repository/models/([^/]+)/(load|unload)")
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_REFUSED = {
    "/v2/logging": "Triton's log settings are not offered; the container's log has what there is.",
    "/v2/trace": "Triton's traces are not offered; /metrics has the times of each phase.",
    "/v2/systemsharedmemory": "Shared memory is not offered; send tensors as binary data.",
    "/v2/cudasharedmemory": "Shared memory is not offered; send tensors as binary data.",
}


class Routes:
    """The application. `opening` and `draining` make it not ready while it already or still answers."""

    def __init__(self, repository: Repository, metrics: Metrics, change: Change, *, server_version: str) -> None:
        self.draining = False
        self.opening = False
        self._repository, self._metrics, self._change = repository, metrics, change
        self._tasks: set[asyncio.Task[None]] = set()
        about = {"name": "fairway", "version": server_version, "extensions": EXTENSIONS}
        self._own: dict[str, Callable[[], Answer]] = {
            METRICS: self._metrics_page,
            "/v2/health/live": partial(okay, {"live": True}),
            READY: self._server_ready,
        }
        self._gets: dict[str, Callable[[], Answer]] = {
            **self._own,
            "/": partial(okay, {"status": "alive"}),
            "/v1/models": self._models,
            "/v2": partial(okay, about),
            "/v2/": partial(okay, about),
            "/v2/models": self._models,
            "/v2/models/stats": self._all_statistics,
        }

    @property
    def ready(self) -> bool:
        return self._repository.ready and not self.draining and not self.opening

    def __call__(self, call: Call) -> None:
        request = call.request
        try:
            if self._repository.speakers and request.path not in self._own and self._spoken(call):
                return
            if request.method == "POST" and (self._predicted(call) or self._repository_call(call)):
                return
            answer = self._look_up(request)
            if leaning := self._leaning(request.path) if answer.status == 200 else ():
                self._later(call, _if_reachable(answer, leaning))
            else:
                call.respond(answer)
        except Refusal as refusal:
            call.respond(refusal.answer())

    # Predictions.

    def _predicted(self, call: Call) -> bool:
        """Whether the call is a prediction; it then is on its way."""
        request = call.request
        if found := _V2.fullmatch(request.path):
            if found[3] != "infer":
                return False
            served = self._repository.find(found[1], found[2])
            self._start(call, served, "v2", v2.Dialogue(served.name, served.version, served.signature, request))
            return True
        found = _V1.fullmatch(request.path)
        if not found or not found[2]:
            return False
        served, verb = self._repository.find(found[1]), found[2]
        if verb == "explain" and not served.explains:
            raise Refusal(501, f"The model {served.name} has no explainer.")
        self._start(call, served, "v1", v1.Dialogue(served.name, served.signature, verb, request), verb)
        return True

    def _start(self, call: Call, served: Served, protocol: str, dialogue: Dialogue, verb: str = "predict") -> None:
        def done(outcome: Outcome) -> None:
            call.respond(outcome.answer() if isinstance(outcome, Refusal) else outcome)

        cancel = served.take(dialogue, protocol, lambda: call.alive, done, explain=verb == "explain")
        if cancel:
            call.when_gone(cancel)

    def _spoken(self, call: Call) -> bool:
        """Whether the path is one that a program speaks; it then answers."""
        path = call.request.path
        for prefix, served in self._repository.speakers:
            if path == prefix or path.startswith(prefix.rstrip("/") + "/"):
                self._later(call, served.speak(call))
                return True
        return False

    # The repository's own calls.

    def _repository_call(self, call: Call) -> bool:
        request = call.request
        if request.path == "/v2/repository/index":
            call.respond(Answer(200, encode(triton.index(self._repository, request))))
            return True
        found = _CHANGE.fullmatch(request.path)
        if found:
            self._later(call, self._changed(call, found[1], found[2]), hang_up=False)
        return found is not None

    async def _changed(self, call: Call, name: str, verb: str) -> Answer:
        await self._change(verb, name, triton.format_of(call.request) if verb == "load" else "")
        return okay({"name": name, verb: True})

    def _later(self, call: Call, work: Coroutine[Any, Any, Answer], *, hang_up: bool = True) -> None:
        async def answer() -> None:
            try:
                call.respond(await work)
            except Refusal as refusal:
                call.respond(refusal.answer())
            except Exception as broken:
                call.respond(failed(broken).answer())

        task = asyncio.get_running_loop().create_task(answer())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if hang_up:
            call.when_gone(task.cancel)

    # What is known without asking a model.

    def _look_up(self, request: Request) -> Answer:
        path, reading = request.path, request.method in ("GET", "HEAD")
        get = self._gets.get(path)
        if get is None and (found := _V1.fullmatch(path)):
            known = self._repository.known(found[1])
            get = partial(self._model_ready, found[1]) if known and not found[2] else None
            if get is None:
                raise Refusal(405, f"{path} takes POST, not {request.method}.", Allow="POST")
        if get is None and (found := _V2.fullmatch(path)):
            get = self._of_model(request, *found.groups())
        if get is None:
            self._refuse(request)
        elif reading:
            return get()
        raise Refusal(405, f"{path} takes GET, HEAD, not {request.method}.", Allow="GET, HEAD")

    def _of_model(self, request: Request, name: str, version: str | None, what: str | None) -> Callable[[], Answer]:
        self._repository.known(name, version)
        if what == "ready":
            return partial(self._model_ready, name)
        if what == "infer":
            raise Refusal(405, f"{request.path} takes POST, not {request.method}.", Allow="POST")
        if what in ("generate", "generate_stream"):
            raise Refusal(501, "This model does not generate text; use infer.")
        if what not in (None, "config", "stats"):
            raise Refusal(404, f"There is nothing at {request.path}.")
        served = self._repository.find(name, version)
        if what == "config":
            return lambda: okay(triton.config(served))
        if what == "stats":
            return lambda: okay({"model_stats": [triton.statistics(served, self._metrics)]})
        return lambda: okay(v2.metadata(served.name, served.version, served.signature))

    def _refuse(self, request: Request) -> None:
        for prefix, sentence in _REFUSED.items():
            if request.path.startswith(prefix):
                raise Refusal(501, sentence)
        if request.path == "/v2/repository/index" or _CHANGE.fullmatch(request.path):
            raise Refusal(405, f"{request.path} takes POST, not {request.method}.", Allow="POST")
        raise Refusal(404, f"There is nothing at {request.path}.")

    def _leaning(self, path: str) -> Sequence[Served]:
        """Whom to ask, besides, about a path of readiness."""
        leaning = self._repository.leaning
        if not leaning or path == READY:
            return leaning
        found, older = _V2.fullmatch(path), _V1.fullmatch(path)
        name = found[1] if found and found[3] == "ready" else older[1] if older and not older[2] else None
        return [served for served in leaning if served.name == name]

    def _model_ready(self, name: str) -> Answer:
        ready = self._repository.known(name).served is not None and not self.draining
        return Answer(200 if ready else 503, encode({"name": name, "ready": ready}))

    def _server_ready(self) -> Answer:
        return Answer(200 if self.ready else 503, encode({"ready": self.ready}))

    def _models(self) -> Answer:
        return okay({"models": self._repository.names})

    def _all_statistics(self) -> Answer:
        served = [entry for name in self._repository.names if (entry := self._repository.known(name).served)]
        return okay({"model_stats": [triton.statistics(each, self._metrics) for each in served]})

    def _metrics_page(self) -> Answer:
        return Answer(200, self._metrics.text(self._repository.readiness()).encode(), _TEXT)


async def _if_reachable(answer: Answer, leaning: Sequence[Served]) -> Answer:
    if all(await asyncio.gather(*(served.reachable() for served in leaning))):
        return answer
    names = ", ".join(served.name for served in leaning)
    raise Refusal(503, f"What {names} depends on, its predictor, is not ready.")
