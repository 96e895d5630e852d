"""Whether gRPC is offered: the service is imported only where its port is asked for, off the event loop."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from typing import Any

from fairway.serving.inpod.changes import Change
from fairway.serving.inpod.metrics import Metrics
from fairway.serving.inpod.repository import Repository
from fairway.serving.inpod.routes import Routes

CALLS = "fairway.serving.inpod.rpc.calls"


class Rpc:
    """The gRPC side of a server, which may be none."""

    def __init__(
        self,
        options: argparse.Namespace,
        repository: Repository,
        metrics: Metrics,
        change: Change,
        routes: Routes,
        version: str,
    ) -> None:
        self._options = options
        self._parts = (repository, metrics, change, routes, version)
        self._server: Any = None

    async def start(self) -> None:
        """Raises OSError where the port cannot be had."""
        options = self._options
        if not options.grpc_port:
            return
        try:
            calls = await asyncio.get_running_loop().run_in_executor(None, importlib.import_module, CALLS)
        except ImportError as missing:
            print(f"gRPC is not offered: it needs {missing.name}, which is not installed.", file=sys.stderr, flush=True)
            return
        made = calls.Calls(*self._parts)
        self._server = calls.Server(
            made, options.host, options.grpc_port, options.grpc_max_message_bytes, shared=options.workers > 1
        )
        await self._server.start()

    async def stop(self, grace: float) -> None:
        if self._server:
            server, self._server = self._server, None
            await server.stop(grace)
