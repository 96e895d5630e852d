"""From the command line to serving processes, and from SIGTERM to their end.

With one worker this process serves; with several it forks them and looks after them (`workers`). What ends it is said
in one sentence, on standard error and in the termination message of the container.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import warnings
from collections.abc import Callable, Mapping, Sequence

from fairway.serving.inpod import workers
from fairway.serving.inpod.board import Board
from fairway.serving.inpod.flags import fail, flags
from fairway.serving.inpod.loops import runner
from fairway.serving.inpod.model import CannotLoad
from fairway.serving.inpod.places import Loader
from fairway.serving.inpod.server import Server, bind

__all__ = ["flags", "main", "serve"]


def main(argv: Sequence[str] | None = None, given: Mapping[str, Loader] | None = None) -> int:
    """`given` are models that a program made itself, instead of those of the folder."""
    options = flags().parse_args(argv)
    # What a model says of column names it misses is no news to the caller, and threads must not change filters.
    warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
    try:
        listening = bind(options.host, options.http_port)
    except OSError as failure:
        where = f"{options.host}:{options.http_port}"
        return fail(f"The model server cannot listen on {where}: {failure.strerror or failure}.")
    try:
        if options.workers > 1:
            return workers.run(options, listening, given)
        with runner() as loop:
            return loop.run(_until_signalled(options, listening, given))
    except CannotLoad as reason:
        return fail(str(reason))
    except OSError as failure:
        return fail(f"The model server cannot serve: {failure.strerror or failure}.")


async def serve(
    options: argparse.Namespace,
    end: asyncio.Event,
    *,
    ready: Callable[[str, int], None],
    given: Mapping[str, Loader] | None = None,
    listening: socket.socket | None = None,
) -> None:
    """Serve in this process until `end` is set, then drain; calls `ready` with its address once all models answer or
    have failed. Raises CannotLoad, and OSError where it cannot listen."""
    listening = listening or bind(options.host, options.http_port)
    host, port = listening.getsockname()[:2]
    board = Board(1)

    async def is_ready() -> None:
        ready(host, port)

    await Server(options, board, board.page(0), given).run(listening, end, ready=is_ready)


async def _until_signalled(
    options: argparse.Namespace, listening: socket.socket, given: Mapping[str, Loader] | None
) -> int:
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)

    def ready(host: str, port: int) -> None:
        what = ", ".join(given) if given else f"{options.model_name} from {options.model_dir}"
        print(f"Serving {what} on http://{host}:{port}", flush=True)

    await serve(options, end, ready=ready, given=given, listening=listening)
    return 0
