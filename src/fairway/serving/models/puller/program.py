"""From flags to a running puller, beside the server, until it is told to end.

Once the server has what was listed at first, as far as it can be had, a port is open: before that the pod is not ready,
since its server would answer for none of them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path
from urllib.parse import urlsplit

from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.objects import errors
from fairway.serving.models.kinds import TRAINED_MODEL
from fairway.serving.models.puller import following
from fairway.serving.models.puller.following import Listed
from fairway.serving.models.puller.pulling import Puller, Tell
from fairway.serving.models.trained import PODS

_AGAIN = 5.0
_SOON = 0.1


def main(argv: Sequence[str] | None = None) -> int:
    options = flags().parse_args(argv)
    asyncio.run(_until_signalled(options))
    return 0


async def _until_signalled(options: argparse.Namespace) -> None:
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    work = asyncio.create_task(run(options))
    stopping = asyncio.create_task(end.wait())
    await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


async def run(options: argparse.Namespace) -> None:
    """Without end."""
    file = os.environ.get("KUBECONFIG")
    client = Client(HTTPTransport.from_kubeconfig(Path(file))) if file else None
    try:
        puller = Puller(
            folder=Path(options.model_dir),
            server=options.server,
            cache=Path(options.cache) if options.cache else None,
            credentials=os.environ,
            mirrors=options.mirror,
            formats=options.formats,
            tell=_teller(client, options),
        )
        await _until_it_listens(options.server)
        async with aclosing(_lists(client, options)) as lists, AsyncExitStack() as stack:

            async def begun() -> None:
                if options.begun_port:
                    door = asyncio.start_server(_close, options.host, options.begun_port)
                    await stack.enter_async_context(await door)

            await _follow(puller, lists, begun)
    finally:
        if client:
            await client.close()


def _lists(client: Client | None, options: argparse.Namespace) -> AsyncGenerator[Listed, None]:
    if client:
        return following.at_the_api(client, options.config_map, options.namespace)
    return following.in_a_folder(Path(options.config_dir))


async def _until_it_listens(server: str) -> None:
    """It and we are started together."""
    parts = urlsplit(server)
    while True:
        try:
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        except OSError:
            await asyncio.sleep(_SOON)
        else:
            writer.close()
            return


async def _close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """That it could be opened is all that this connection says."""
    writer.close()


async def _follow(puller: Puller, lists: AsyncGenerator[Listed, None], begun: Callable[[], Awaitable[None]]) -> None:
    """The newest list counts; what did not work is tried again until a newer one comes."""
    wanted = await anext(lists)
    whole = await puller.bring(wanted)
    await begun()
    coming = asyncio.ensure_future(anext(lists))
    while True:
        await asyncio.wait({coming}, timeout=None if whole else _AGAIN)
        if coming.done():
            wanted = coming.result()
            coming = asyncio.ensure_future(anext(lists))
        whole = await puller.bring(wanted)


def _teller(client: Client | None, options: argparse.Namespace) -> Tell:
    async def tell(name: str, loaded: bool, message: str) -> None:
        print(f"{name}: {'loaded' if loaded else message}", flush=True)
        if client is None:
            return
        status = {PODS: {options.pod: {"loaded": loaded, "message": message}}}
        with suppress(errors.ApiError, OSError):  # who may not write it is judged by the server alone
            await client.patch_status(TRAINED_MODEL, name, options.namespace, status)

    return tell


def flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fairway.serving.models.puller", description="Brings models to a server.")
    parser.add_argument("--config-dir", default="/mnt/configs", help="where the ConfigMap is mounted")
    parser.add_argument("--config-map", default="", help="its name, to follow it at the API")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--pod", default=os.environ.get("HOSTNAME", ""), help="this pod's name")
    parser.add_argument("--model-dir", default="/mnt/models", help="the server's folder of models")
    parser.add_argument("--server", required=True, help="the server's address")
    parser.add_argument("--host", default=os.environ.get("FAIRWAY_POD_IP") or "127.0.0.1", help="the address to bind")
    parser.add_argument("--begun-port", type=int, default=0, help="open once the first list was brought; 0: none is")
    parser.add_argument("--formats", action="store_true", help="tell the server the format of what it loads")
    parser.add_argument("--cache", default="", help="a folder in which what was fetched is kept for others")
    parser.add_argument("--mirror", action="append", default=[], help="PREFIX=PLACE: addresses that are kept elsewhere")
    return parser
