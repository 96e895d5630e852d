"""The flags of the model server, and what they mean: where the models are, and how much may be at work.

The names are those of KServe's own servers where they mean the same. `program` reads them, in each of its processes.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from fairway.serving.inpod.formats import settings
from fairway.serving.inpod.lanes import Limits
from fairway.serving.inpod.places import Places

_PREDICTOR = ("predictor_host", "predictor_protocol", "predictor_use_ssl")
_TOLD = (*_PREDICTOR, "container_concurrency")
"""The flags that a program is told of, beside those of settings."""


def places(options: argparse.Namespace) -> Places:
    said = {name: getattr(options, name) for name in _TOLD}
    known = {name: str(value) for name, value in said.items() if value is not None}
    told = {**settings.with_flags(os.environ, options), **known}
    return Places(Path(options.model_dir), options.model_format, told, options.multi_model)


def limits(options: argparse.Namespace) -> Limits:
    """Knative's rule for those that wait: ten for each that may be at work."""
    concurrency = options.container_concurrency
    return Limits(
        threads=concurrency or min(4, os.cpu_count() or 1),
        waiting=10 * concurrency or options.max_waiting,
        batch=max(1, options.max_batch_size),
        latency=options.max_batch_latency_ms / 1000,
        strict=concurrency > 0,
    )


class _Flags(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        raise SystemExit(fail(f"The model server does not understand its arguments: {message}."))


def flags() -> argparse.ArgumentParser:
    parser = _Flags(prog="fairway.serving.inpod", description="Serves models over V1 and V2.")
    parser.add_argument("--model_name", default="model", help="the name in the paths")
    parser.add_argument("--model_dir", default="/mnt/models", help="a model file, or a folder of one or of several")
    parser.add_argument("--model_format", default="", help="KServe's name of it; empty: what the files are")
    parser.add_argument("--http_port", type=int, default=8080)
    parser.add_argument("--grpc_port", type=int, default=0, help="V2 over gRPC; 0: not offered")
    parser.add_argument("--metrics_port", type=int, default=0, help="the page of metrics alone, once more; 0: not")
    parser.add_argument("--grpc_max_message_bytes", type=int, default=8 * 1024 * 1024)
    parser.add_argument("--host", default=os.environ.get("FAIRWAY_POD_IP") or "127.0.0.1", help="the address to bind")
    parser.add_argument(
        "--container_concurrency", type=int, default=0, help="predictions at once; 0: as many as cores, at most 4"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that serve on the same address")
    for name in _PREDICTOR:
        parser.add_argument(f"--{name}", default=None, help="of a transformer: whom it asks")
    parser.add_argument("--multi_model", action="store_true", help="model_dir is a folder of models, if only later")
    parser.add_argument("--max_batch_size", type=int, default=64, help="rows that are laid together; 1: none")
    parser.add_argument(
        "--max_batch_latency_ms", type=float, default=0, help="how long the first of a batch waits; 0: while others run"
    )
    parser.add_argument("--max_waiting", type=int, default=1000, help="predictions that may wait before others get 503")
    parser.add_argument("--max_body_bytes", type=int, default=256 * 1024 * 1024)
    parser.add_argument(
        "--linger", type=float, default=1.5, help="seconds from SIGTERM to the closed door, or more while requests come"
    )
    settings.add_flags(parser)
    return parser


def fail(sentence: str) -> int:
    """Say it where Kubernetes looks, and where people look."""
    print(sentence, file=sys.stderr, flush=True)
    where = os.environ.get("FAIRWAY_TERMINATION_LOG")
    message = Path(where or "/dev/termination-log")
    if where or message.exists():  # Kubernetes makes it before the container starts; elsewhere there is none
        with suppress(OSError):
            message.write_text(sentence[:4096])
    return 1
