"""ModelServer and the flags of KServe's programs, on our own server (`kserve.model_server`).

A program makes its models and calls `start`; from there `program.main` has the process: it listens, answers, and drains
on SIGTERM. Flags are read when a server is made, and not when this is imported, so that importing it takes nobody's.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from fairway.serving.inpod import program
from fairway.serving.inpod.model import CannotLoad
from fairway.serving.inpod.places import VERSION, Loader
from fairway.serving.inpod.programs import failures, loops
from fairway.serving.inpod.programs.kserve import KServeProgram
from fairway.serving.inpod.programs.kserve_api import constants, context, logs, payloads
from fairway.serving.inpod.programs.kserve_api.dataplane import DataPlane
from fairway.serving.inpod.programs.kserve_api.errors import NoModelReady
from fairway.serving.inpod.programs.kserve_api.model import BaseKServeModel
from fairway.serving.inpod.programs.kserve_api.predictor import PredictorConfig
from fairway.serving.inpod.programs.kserve_api.repository import ModelRepository, ModelRepositoryExtension
from fairway.serving.inpod.programs.kserve_api.web_application import WebApplication

_PROTOCOLS = ["v1", "v2", "grpc-v2"]
_HERE_WITHOUT_EFFECT = {
    "access_log_format": "/metrics counts requests, and the service's logger writes them down",
    "enable_docs_url": "there is no page of documentation",
}


def _parser() -> argparse.ArgumentParser:
    """With KServe's flags; programs take it as a parent of their own."""
    parser = argparse.ArgumentParser(add_help=False, conflict_handler="resolve")
    add = parser.add_argument
    add("--http_port", type=int, default=constants.DEFAULT_HTTP_PORT, help="where V1, V2 and the rest are spoken")
    add("--grpc_port", type=int, default=constants.DEFAULT_GRPC_PORT, help="where V2 is spoken over gRPC")
    add("--workers", type=int, default=1, help="processes that answer")
    add("--max_threads", type=int, default=4, help="threads for predictions")
    add("--max_asyncio_workers", type=int, default=None, help="the same, for steps that are no coroutines")
    add(
        "--enable_grpc", type=payloads.strtobool, default=True, help="whether gRPC is spoken, where grpcio is installed"
    )
    add("--enable_docs_url", type=payloads.strtobool, default=False, help="there is no page of documentation")
    add("--enable_latency_logging", type=payloads.strtobool, default=False, help="a line with the times of each step")
    add("--configure_logging", type=payloads.strtobool, default=True, help="for programs that set up logging")
    add("--log_config_file", default=None, help="a JSON or YAML file of logging's")
    add("--access_log_format", default=None, help="requests are counted at /metrics, and not logged")
    add("--event-loop", dest="event_loop", default="auto", help="auto, asyncio or uvloop")
    add("--timeout-keep-alive", dest="timeout_keep_alive", type=int, default=65, help="idle connections are kept")
    add("--model_name", default="model", help="the name in the paths")
    add("--predictor_host", default=None, help="the predictor that a transformer stands before")
    add("--protocol", choices=_PROTOCOLS, default="v1", help="an older name of --predictor_protocol")
    add("--predictor_protocol", choices=_PROTOCOLS, default="v1", help="how the predictor is spoken to")
    add("--predictor_use_ssl", type=payloads.strtobool, default=False, help="whether it is spoken to over TLS")
    add("--predictor_request_timeout_seconds", type=int, default=600, help="how long an answer of it is waited for")
    add("--predictor_request_retries", type=int, default=0, help="how often a failed connection is tried again")
    add("--enable_predictor_health_check", action="store_true", help="ready only while the predictor is")
    add("--grpc_max_send_message_length", type=int, default=constants.MAX_GRPC_MESSAGE_LENGTH, help="bytes")
    add("--grpc_max_receive_message_length", type=int, default=constants.MAX_GRPC_MESSAGE_LENGTH, help="bytes")
    return parser


parser = _parser()
app = WebApplication()


def __getattr__(name: str) -> Any:
    """`args`, which KServe has at import: read when it is asked for."""
    if name == "args":
        return parser.parse_known_args()[0]
    raise AttributeError(f"module 'kserve.model_server' has no attribute {name!r}")


class ModelServer:
    def __init__(
        self,
        http_port: int | None = None,
        grpc_port: int | None = None,
        workers: int | None = None,
        max_threads: int | None = None,
        max_asyncio_workers: int | None = None,
        registered_models: ModelRepository | None = None,
        enable_grpc: bool | None = None,
        enable_docs_url: bool | None = None,
        enable_latency_logging: bool | None = None,
        access_log_format: str | None = None,
        event_loop: str | None = None,
        timeout_keep_alive: int | None = None,
        grace_period: int = 30,
        predictor_config: PredictorConfig | None = None,
    ) -> None:
        """What is None here is what its flag says."""
        given = {name: value for name, value in locals().items() if value is not None}
        flags = vars(parser.parse_known_args()[0])
        for name in (
            "http_port",
            "grpc_port",
            "workers",
            "max_threads",
            "enable_grpc",
            "enable_docs_url",
            "enable_latency_logging",
            "access_log_format",
            "event_loop",
            "timeout_keep_alive",
        ):
            setattr(self, name, given.get(name, flags[name]))
        self.registered_models = registered_models or ModelRepository()
        self.grace_period = grace_period
        self._loops: dict[int, loops.OwnLoop] = {}
        self.dataplane = DataPlane(self.registered_models)
        self.model_repository_extension = ModelRepositoryExtension(self.registered_models)
        if predictor_config is None and flags["predictor_host"]:
            predictor_config = _predictor(flags)
        if predictor_config is not None:
            context.set_predictor_config(predictor_config)
        app.serve(self)

    http_port: int
    grpc_port: int
    workers: int
    max_threads: int
    enable_grpc: bool
    enable_latency_logging: bool

    def start(self, models: list[Any]) -> None:
        """Serve until a signal ends the process. Raises NoModelReady, and exits with 1 where it cannot serve."""
        if not isinstance(models, list):
            raise RuntimeError("Unknown model collection type")  # KServe's own words
        for model in models:
            if not isinstance(model, BaseKServeModel):
                raise RuntimeError(f"Models derive from kserve.Model, and {type(model).__name__} does not.")
            self.register_model(model)
        if not any(model.ready or model.engine for model in models):
            raise NoModelReady(models)
        if refused := sorted(set(app.middleware) - {"CORSMiddleware"}):
            raise RuntimeError(f"Middleware does not see requests here, and {', '.join(refused)} would be left out.")
        self._say_what_has_no_effect()
        code = program.main(self._flags(), given=self.loaders())
        if code:
            sys.exit(code)

    def register_model(self, model: Any, name: str | None = None) -> None:
        if not model.name:
            raise RuntimeError("A model has a name.")
        self.registered_models.update(model, name)

    def register_exception_handler(self, handler: Callable[..., Any]) -> None:
        raise NotImplementedError("The server handles what its own event loop meets; a model raises what it means.")

    def stop(self, sig: int | None = None) -> None:
        """As a signal would."""
        os.kill(os.getpid(), sig or 15)

    def loaders(self, *, keep: bool = False) -> Mapping[str, Loader]:
        """Of the models that are ready or will be; the others are told of, and left out. `keep` is of the programs."""
        own = _brings_its_own(self.registered_models)
        found: dict[str, Loader] = _Shelf(self) if own else {}
        for name, model in self.registered_models.get_models().items():
            if not model.ready and not model.engine:
                logs.logger.warning("The model %s is not ready and is not served; its load() was not called.", name)
                continue
            found[name] = self._loader(model, keep=keep or own)
        return found

    def bringing(self, name: str) -> Loader:
        """By the program's own repository, whose `load` may be a coroutine."""

        def load() -> tuple[KServeProgram, str]:
            loop = self._loop()
            with failures.as_cannot_load(f"The program's own repository, asked for {name},"):
                ready = self.registered_models.load(name)
                if hasattr(ready, "__await__"):
                    ready = loop.wait(lambda: loops.settled(ready))
            model = self.registered_models.get_model(name)
            if not ready or model is None:
                raise CannotLoad(f"The program's own repository has no model {name} that is ready.")
            return KServeProgram(model, loop, latency_logging=self.enable_latency_logging, keep=True), VERSION

        return load

    def _loader(self, model: Any, *, keep: bool) -> Loader:
        """Called in each process that serves."""

        def load() -> tuple[KServeProgram, str]:
            served = KServeProgram(model, self._loop(), latency_logging=self.enable_latency_logging, keep=keep)
            if not served.ready:
                served.load()
            return served, VERSION

        return load

    def _loop(self) -> loops.OwnLoop:
        """Of this process: a loop's thread does not come along with a fork."""
        if os.getpid() not in self._loops:
            self._loops[os.getpid()] = loops.OwnLoop("kserve")
        return self._loops[os.getpid()]

    def _flags(self) -> list[str]:
        flags = ["--http_port", str(self.http_port), "--workers", str(self.workers)]
        if self.enable_grpc and importlib.util.find_spec("grpc"):
            flags += ["--grpc_port", str(self.grpc_port)]
        return flags

    def _say_what_has_no_effect(self) -> None:
        if app.middleware:
            logs.logger.warning("CORS is not this server's but the gateway's: CORSMiddleware is not applied.")
        defaults = vars(parser.parse_args([]))
        for name, why in _HERE_WITHOUT_EFFECT.items():
            if getattr(self, name) != defaults[name]:
                logs.logger.warning("%s=%s changes nothing here: %s.", name, getattr(self, name), why)


class _Shelf(dict[str, Loader]):
    """The models that are there, and those that the program's own repository brings when they are asked for."""

    def __init__(self, server: ModelServer) -> None:
        super().__init__()
        self._server = server

    def bring(self, name: str) -> Loader:
        return self._server.bringing(name)

    def take_back(self, name: str) -> None:
        with suppress(KeyError):
            self._server.registered_models.unload(name)


def _brings_its_own(repository: ModelRepository) -> bool:
    """Whether somebody wrote how models are brought."""
    kind = type(repository)
    return kind.load is not ModelRepository.load or kind.load_model is not ModelRepository.load_model


def _predictor(flags: Mapping[str, Any]) -> PredictorConfig:
    said = flags["predictor_protocol"]
    return PredictorConfig(
        predictor_host=flags["predictor_host"],
        predictor_protocol=said if said != "v1" else flags["protocol"],
        predictor_use_ssl=flags["predictor_use_ssl"],
        predictor_request_timeout_seconds=flags["predictor_request_timeout_seconds"],
        predictor_request_retries=flags["predictor_request_retries"],
        predictor_health_check=flags["enable_predictor_health_check"],
    )


def start_server(models: list[Any], **options: Any) -> None:
    ModelServer(**options).start(models)
