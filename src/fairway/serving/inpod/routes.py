"""Which path is what: one table of paths for the one model, and good answers for everything else.

Health, metadata and metrics are answered on the event loop; predictions go to the workers.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from functools import partial

from fairway.serving.inpod import v1, v2
from fairway.serving.inpod.messages import Answer, Refusal, Request, encode, okay
from fairway.serving.inpod.metrics import Metrics
from fairway.serving.inpod.model import Model
from fairway.serving.inpod.workers import Workers

Immediate = Callable[[], Answer]
Predict = Callable[[str, Model, Request], Answer]

_MODEL_PATH = re.compile(r"/v[12](?:/repository)?/models/([^/:]+)(?:/versions/([^/]+))?")
_EXTENSIONS = ["binary_tensor_data"]


class Routes:
    """The application. `model` is None until it is loaded; `draining` makes it not ready while it still answers."""

    def __init__(self, name: str, workers: Workers, *, server_version: str) -> None:
        self.model: Model | None = None
        self.draining = False
        self._name, self._workers, self._version = name, workers, server_version
        self._metrics = Metrics(name)
        self._gets = self._immediate()
        self._posts = self._predictions()
        self._refused = self._refusals()

    @property
    def ready(self) -> bool:
        return self.model is not None and not self.draining

    def __call__(self, request: Request, respond: Callable[[Answer], None], alive: Callable[[], bool]) -> None:
        predict = self._posts.get(request.path) if request.method == "POST" else None
        try:
            if predict:
                self._predict(*predict, request, respond, alive)
            else:
                respond(self._look_up(request))
        except Refusal as refusal:
            respond(refusal.answer())

    def _predict(
        self,
        protocol: str,
        predict: Predict,
        request: Request,
        respond: Callable[[Answer], None],
        alive: Callable[[], bool],
    ) -> None:
        started = time.perf_counter()

        def finish(answer: Answer) -> None:
            self._metrics.record(protocol, answer.status, time.perf_counter() - started)
            respond(answer)

        try:
            job = partial(_answer, partial(predict, self._name, self._loaded()), request)
            self._workers.submit(job, finish, alive)
        except Refusal as refusal:
            finish(refusal.answer())

    def _look_up(self, request: Request) -> Answer:
        get = self._gets.get(request.path)
        if get and request.method in ("GET", "HEAD"):
            return get()
        if request.path in self._refused:
            raise Refusal(501, self._refused[request.path])
        allowed = "GET, HEAD" if get else "POST" if request.path in self._posts else ""
        if allowed:
            raise Refusal(405, f"{request.path} takes {allowed}, not {request.method}.", Allow=allowed)
        named = _MODEL_PATH.match(request.path)
        if named and named[1] != self._name:
            raise Refusal(404, f"Model {named[1]!r} is not here; this server has {self._name!r}.")
        if named and named[2] not in (None, v2.VERSION):
            raise Refusal(404, f"Model {self._name!r} has no version {named[2]!r}; its only version is {v2.VERSION!r}.")
        raise Refusal(404, f"There is nothing at {request.path}.")

    # The tables.

    def _immediate(self) -> dict[str, Immediate]:
        live = partial(okay, {"live": True})
        models = partial(okay, {"models": [self._name]})
        server = {"name": "fairway", "version": self._version, "extensions": _EXTENSIONS}
        table: dict[str, Immediate] = {
            "/": partial(okay, {"status": "alive"}),
            "/metrics": self._metrics_page,
            "/v1/models": models,
            f"/v1/models/{self._name}": self._model_ready,
            "/v2": partial(okay, server),
            "/v2/": partial(okay, server),
            "/v2/health/live": live,
            "/v2/health/ready": self._server_ready,
            "/v2/models": models,
        }
        for path in self._v2_paths():
            table[path] = self._about_model
            table[f"{path}/ready"] = self._model_ready
        return table

    def _predictions(self) -> dict[str, tuple[str, Predict]]:
        table: dict[str, tuple[str, Predict]] = {f"/v1/models/{self._name}:predict": ("v1", v1.predict)}
        for path in self._v2_paths():
            table[f"{path}/infer"] = ("v2", v2.infer)
        return table

    def _refusals(self) -> dict[str, str]:
        """Paths of the protocols that this server knows and does not offer."""
        repository = "Models are loaded and unloaded by changing the InferenceService, not over this protocol."
        table = {
            f"/v1/models/{self._name}:explain": "This model has no explainer.",
            "/v2/repository/index": repository,
        }
        for verb in ("load", "unload"):
            table[f"/v2/repository/models/{self._name}/{verb}"] = repository
        for path in self._v2_paths():
            for verb in ("generate", "generate_stream"):
                table[f"{path}/{verb}"] = "This model does not generate text; use infer."
            table[f"{path}/config"] = f"Triton's model configuration is not offered; {path} describes the model."
            table[f"{path}/stats"] = "Triton's statistics are not offered; /metrics has them for Prometheus."
        return table

    def _v2_paths(self) -> tuple[str, ...]:
        return f"/v2/models/{self._name}", f"/v2/models/{self._name}/versions/{v2.VERSION}"

    # Answers.

    def _model_ready(self) -> Answer:
        return Answer(200 if self.ready else 503, encode({"name": self._name, "ready": self.ready}))

    def _server_ready(self) -> Answer:
        return Answer(200 if self.ready else 503, encode({"ready": self.ready}))

    def _about_model(self) -> Answer:
        return okay(v2.metadata(self._name, self._loaded().signature))

    def _metrics_page(self) -> Answer:
        text = self._metrics.text(inside=self._workers.inside, ready=self.ready)
        return Answer(200, text.encode(), "text/plain; version=0.0.4; charset=utf-8")

    def _loaded(self) -> Model:
        if self.model is None:
            raise Refusal(503, f"The model {self._name} is still loading; try again in a moment.", Retry_After="1")
        return self.model


def _answer(predict: Callable[[Request], Answer], request: Request) -> Answer:
    """Runs in a worker's thread."""
    try:
        return predict(request)
    except Refusal as refusal:
        if refusal.status >= 500:
            traceback.print_exc()
        return refusal.answer()
    except Exception as broken:
        traceback.print_exc()
        return Refusal(500, f"The server failed: {type(broken).__name__}: {broken}").answer()
