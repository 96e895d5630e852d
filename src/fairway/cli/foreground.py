"""The platform in this very process: what `fairway up` is without --detach, and what --detach starts."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import sys

import uvloop

from fairway import __version__
from fairway.cli import connection
from fairway.cli.verbs import Failure
from fairway.cluster.network.errors import NetworkError
from fairway.cluster.store.lock import StoreLocked
from fairway.cluster.store.protocol import StoreFailed
from fairway.kernel.client.kubeconfig import KubeconfigError
from fairway.kernel.objects.errors import ApiError
from fairway.kernel.settings import SettingsError
from fairway.up import rooms
from fairway.up.machine import Running, serve
from fairway.up.settings import StartError, UpSettings

_COLLECTIONS = (400, 3, 200)
"""As `gc.set_threshold` has them. Stored objects are no garbage and are looked at once in each generation: small steps
cost no more than large ones, all together, and nobody waits long for one (with 2,000 and 1 the p99 of a create was 2 to
4 ms, with these 1.3 to 1.9). Everything is looked at every 300,000 objects."""
_SENTENCES = (StartError, NetworkError, StoreFailed, StoreLocked, KubeconfigError, SettingsError, ApiError, OSError)
"""Errors whose text is a sentence for the user; anything else is a defect and shows its traceback."""


def run(values: UpSettings, *, quiet: bool) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every start

    def ready(platform: Running) -> None:
        _settle_memory()
        _describe(platform)
        if not quiet:
            print(_welcome(platform), flush=True)

    gc.disable()  # until everything is there: little of what a start makes is garbage
    try:
        found = rooms.load(values.data_dir / "config.toml", os.environ)
        uvloop.run(serve(values, tuple(room.values for room in found.values()), ready))
    except BaseExceptionGroup as group:
        raise _failure(group) from group
    except asyncio.CancelledError:
        raise Failure("ended before it was ready, as it was asked to", code=130) from None
    except _SENTENCES as problem:
        raise Failure(_sentence(problem)) from problem
    finally:
        connection.forget(values.data_dir)
    return 0


def _settle_memory() -> None:
    """Garbage collections stop everything: they pass over what the start made, which stays, and are short."""
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)
    gc.enable()


def _welcome(platform: Running) -> str:
    stop = "Ctrl-C, or `fairway stop`"
    return connection.welcome(platform.one_time_url, platform.data_dir, platform.kubeconfig, stop)


def _describe(platform: Running) -> None:
    pid = os.getpid()
    connection.describe(
        connection.Server(
            pid=pid,
            started=connection.start_time(pid),
            url=platform.url,
            api_url=platform.api_url,
            kubeconfig=str(platform.kubeconfig),
            data_dir=str(platform.data_dir),
            version=__version__,
        )
    )


def _failure(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one sentence of a failed start; a defect stays the group with its tracebacks."""
    known, rest = group.split(lambda one: isinstance(one, _SENTENCES))
    if known is None or (rest is not None and rest.split(asyncio.CancelledError)[1] is not None):
        return group
    first: BaseException = known
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return Failure(_sentence(first))


def _sentence(problem: BaseException) -> str:
    if isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE:
        return f"{problem.strerror}: choose another port with --port, or stop the program that listens there"
    if isinstance(problem, OSError) and problem.filename:
        return f"{problem.filename}: {problem.strerror}"
    return str(problem) or type(problem).__name__
