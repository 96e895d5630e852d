"""The server itself in a test, on a loopback port, for clients that speak over a socket."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fairway.serving.inpod import program
from fairway.serving.inpod.places import Loader
from tests.ports import free_port


@contextmanager
def server(*flags: str, given: Mapping[str, Loader] | None = None) -> Iterator[str]:
    """The address of a server with these flags, or with models that are given; ended afterwards."""
    port = free_port()
    argv = [*flags, "--http_port", str(port), "--host", "127.0.0.1", "--linger", "0"]
    options = program.flags().parse_args(argv)
    loop, end, up = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(program.serve(options, end, ready=lambda *_: up.set(), given=given))
        except BaseException as failure:
            failed.append(failure)
            up.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert up.wait(60), "the server did not become ready"
    if failed:
        raise failed[0]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(30)
        loop.close()
