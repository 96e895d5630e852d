"""The sidecar's flags: those of KServe's agent, and ours after them. What is not served is refused by name."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from typing import NoReturn

from fairway.serving.inpod.sidecar import sinks

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Misunderstood(Exception):
    """The text is a sentence."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Raises Misunderstood."""
    options = _parser().parse_args(argv)
    if options.enable_puller:
        raise Misunderstood("The sidecar pulls no models; the model server loads and unloads them (/v2/repository).")
    if options.log_mode not in ("all", "request", "response"):
        raise Misunderstood(f"--log-mode {options.log_mode!r} is not all, request or response.")
    return options


def _parser() -> argparse.ArgumentParser:
    here = os.environ.get("FAIRWAY_POD_IP") or ""
    parser = _Parser(prog="fairway.serving.inpod.sidecar", description="Stands before a container that serves.")
    add = parser.add_argument
    add("--port", type=int, default=9081)
    add("--component-port", type=int, default=8080, help="where the container listens")
    add("--log-url", default="", help="where events of requests and answers go")
    add("--source-uri", default="")
    add("--log-mode", default="all", help="all, request or response")
    add("--inference-service", default="")
    add("--namespace", default="")
    add("--endpoint", default="")
    add("--component", default="")
    add("--metadata-headers", type=_words, default=(), help="headers that events tell of, with commas between")
    add("--metadata-annotations", type=_pairs, default={}, help="name=value, with commas between")
    add("--workers", type=int, default=5, help="events under way at once")
    add("--log-store-path", default="")
    add("--log-store-format", default="json", help="json, csv or parquet")
    add("--log-marshaller-url", default=sinks.EMBEDDED_MARSHALLER)
    add("--log-marshaller-port", type=int, default=9083, help="accepted; records are written in this process")
    add("--log-batch-size", type=int, default=1)
    add("--log-batch-interval", type=seconds, default=0.0)
    add("--logger-ca-cert-file", default="", help="a file of certificates to trust for https")
    add("--logger-tls-skip-verify", type=_no_skipping, default=False)
    add("--enable-batcher", nargs="?", const=True, type=_yes, default=False)
    add("--max-batchsize", type=int, default=32)
    add("--max-latency", type=int, default=5000, help="milliseconds that rows wait for others")
    add("--enable-puller", nargs="?", const=True, type=_yes, default=False)
    add("--config-dir", default="")
    add("--model-dir", default="")
    # Ours.
    add("--host", default=here or "127.0.0.1", help="the address to bind")
    add("--component-host", default=here or "127.0.0.1")
    add("--batch-timeout", type=float, default=0.0, help="seconds for the answer to a batch; 0 waits for ever")
    add("--container-concurrency", type=int, default=0, help="requests in the container at once; 0: any number")
    add("--max-waiting", type=int, default=-1, help="requests that may wait; ten times as many as may enter")
    add("--log-max-body-bytes", type=int, default=8 * 1024 * 1024, help="of one body; the rest is cut off")
    add("--log-queue", type=int, default=1000, help="events that may wait; more are dropped, and counted")
    add(
        "--linger", type=float, default=1.5, help="seconds from SIGTERM to the closed door, or more while requests come"
    )
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Misunderstood(f"The sidecar does not understand its arguments: {message}.")


def seconds(text: str) -> float:
    """A duration as Go writes it, such as 10s, 1m30s or 0.

    >>> seconds("1m30s"), seconds("0")
    (90.0, 0.0)
    """
    if text.strip("0.") == "":
        return 0.0
    if _DURATION.sub("", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 10s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in _words(text) if "=" in pair)


def _yes(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is not true or false")
    return text.lower() == "true"


def _no_skipping(text: str) -> bool:
    if text.lower() == "true":
        reason = "certificates are always checked; give the sink's own in --logger-ca-cert-file"
        raise argparse.ArgumentTypeError(reason)
    return False
