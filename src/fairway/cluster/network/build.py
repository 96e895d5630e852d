"""Gives the network's one service to `up`."""

from __future__ import annotations

from fairway.cluster.network.config import NetworkConfig
from fairway.cluster.network.errors import NetworkError
from fairway.cluster.network.gateway import Gateway
from fairway.cluster.network.kinds import KINDS
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.feature import Parts, Ready, Service

__all__ = ["KINDS", "NetworkConfig", "NetworkError", "build"]


def build(client: Client, clock: Clock, config: NetworkConfig) -> Parts:
    """The service `gateway`: ready when Envoy listens. Raises NetworkError from its `run` when it cannot."""

    async def run(ready: Ready) -> None:
        await Gateway(client, clock, config).run(ready)

    return Parts(services=(Service("gateway", run),))
