"""Probes and hooks: ask a container by exec, HTTP, TCP or gRPC how it is. An action is a probe or a lifecycle hook."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from fairway.cluster.node import health
from fairway.cluster.node.runtime import CannotStart, ContainerId, PodRuntime
from fairway.kernel.clock import Clock
from fairway.kernel.objects.kinds import Object

_BODY = 512
"""How much of an answer goes into an event."""
_AGENT = "kube-probe/1.36"
_SOON = 0.02
"""Seconds to the second attempt of a probe."""


@dataclass(frozen=True)
class Outcome:
    healthy: bool
    message: str = ""


class Prober:
    """One for each node: it keeps the HTTP connections' session."""

    def __init__(self, runtime: PodRuntime, clock: Clock) -> None:
        self._runtime, self._clock = runtime, clock
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def follow(
        self, probe: Object, container: Object, at: ContainerId, host: str, tell: Callable[[Outcome], Awaitable[bool]]
    ) -> None:
        """Ask again and again; `tell` hears every verdict that the thresholds allow, and says whether to go on."""
        need = {True: probe.get("successThreshold") or 1, False: probe.get("failureThreshold") or 3}
        await self._clock.sleep(probe.get("initialDelaySeconds") or 0)
        await self._first_period(probe, container, at, host)
        same, last = 0, None
        while True:
            outcome = await self.attempt(probe, container, at, host, probe.get("timeoutSeconds") or 1)
            same = same + 1 if outcome.healthy is last else 1
            last = outcome.healthy
            if same >= need[outcome.healthy] and not await tell(outcome):
                return
            await self._clock.sleep(_period(probe))

    async def _first_period(self, probe: Object, container: Object, at: ContainerId, host: str) -> None:
        """Ask soon again while it fails, counting nothing: what starts in milliseconds is seen in milliseconds.

        The whole seconds of Kubernetes' periods fit containers that are pulled and booted.
        """
        period, pause = _period(probe), _SOON
        waited = 0.0
        while waited + pause < period:
            if (await self.attempt(probe, container, at, host, probe.get("timeoutSeconds") or 1)).healthy:
                return
            await self._clock.sleep(pause)
            waited, pause = waited + pause, pause * 1.5

    async def attempt(self, action: Object, container: Object, at: ContainerId, host: str, timeout: float) -> Outcome:
        """Do it once. Never raises."""
        try:
            async with asyncio.timeout(timeout):
                if (wanted := action.get("exec")) is not None:
                    result = await self._runtime.exec(at, wanted.get("command") or [], timeout)
                    return Outcome(result.exit_code == 0, result.output[:_BODY].decode(errors="replace"))
                if (wanted := action.get("httpGet")) is not None:
                    return await self._get(wanted, container, host)
                if (wanted := action.get("tcpSocket")) is not None:
                    return await self._connect(wanted, container, host)
                if wanted := action.get("grpc"):
                    await health.check(host, int(wanted["port"]), wanted.get("service") or "")
                    return Outcome(True)
                await self._clock.sleep((action.get("sleep") or {}).get("seconds") or 0)
                return Outcome(True)
        except TimeoutError:
            return Outcome(False, f"no answer within {timeout:g} s")
        except (OSError, aiohttp.ClientError, CannotStart, ValueError, health.Unhealthy) as problem:
            return Outcome(False, str(problem))

    async def _get(self, wanted: Object, container: Object, host: str) -> Outcome:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=False, force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        scheme = (wanted.get("scheme") or "HTTP").lower()
        port = _port(wanted["port"], container)
        path = "/" + (wanted.get("path") or "/").lstrip("/")
        headers = {"User-Agent": _AGENT} | {each["name"]: each["value"] for each in wanted.get("httpHeaders") or ()}
        url = f"{scheme}://{wanted.get('host') or host}:{port}{path}"
        async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
            if 200 <= answer.status < 400:
                return Outcome(True)
            body = (await answer.content.read(_BODY)).decode(errors="replace")
            return Outcome(False, f"HTTP probe failed with statuscode: {answer.status} {body}".strip())

    async def _connect(self, wanted: Object, container: Object, host: str) -> Outcome:
        _, writer = await asyncio.open_connection(wanted.get("host") or host, _port(wanted["port"], container))
        writer.close()
        return Outcome(True)


def _period(probe: Object) -> float:
    """At least a second, as upstream: who asks without a pause does nothing else."""
    return max(float(probe.get("periodSeconds") or 10), 1.0)


def _port(port: int | str, container: Object) -> int:
    """A number, or the name of one of the container's ports."""
    if isinstance(port, int) or str(port).isdigit():
        return int(port)
    for known in container.get("ports") or ():
        if known.get("name") == port:
            return int(known["containerPort"])
    raise ValueError(f'container {container["name"]} has no port named "{port}"')
