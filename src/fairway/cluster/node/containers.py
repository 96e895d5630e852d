"""One container of a pod: start it, watch over it, start it again, stop it.

`run` ends when the container will not run again. The pod's worker owns the task; `recover` gives it what ran before
the agent was here, so that it goes on instead of beginning.
"""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fairway.cluster.node import security
from fairway.cluster.node.launching import Launcher, termination_log
from fairway.cluster.node.logs import last_lines
from fairway.cluster.node.machine import PROCESS
from fairway.cluster.node.probes import Outcome, Prober
from fairway.cluster.node.runtime import CannotStart, ContainerId, ContainerSpec, ContainerState, PodRuntime, Waiting
from fairway.cluster.node.status import CREATING, View, runs_again
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock, back_off
from fairway.kernel.objects import errors, meta, pod_statuses
from fairway.kernel.objects.kinds import Object

_LONGEST_BACK_OFF = 300.0
_CALM = 600.0
"""Seconds of running after which earlier failures are forgotten."""
_LASTING = {
    "ImageNotInCatalogue",
    "InvalidImageName",
    "InvalidRequirements",
    "VolumeNotSupported",
    "NoContainerEngine",
    "InvalidRuntime",
    "SecurityContextNotSupported",
    "DeviceNotSupported",
}
"""Reasons that only a new pod can cure: trying again would change nothing."""
_PULL_FAILED, _PULL_BACK_OFF = "ErrImagePull", "ImagePullBackOff"
_RARELY = {"EnvironmentFailed", _PULL_FAILED}
"""Reasons for which somebody else is asked, who is not to be asked too often."""
_LONGEST_DELAY = 10.0
"""Seconds between two tries to start what could not be started; a failed installation or pull is tried ever more
rarely."""
_PULL_DELAY = 2.0
_LONGEST_MESSAGE = 4096
_LEAST_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL, however long the preStop hook took."""
_KEPT_ATTEMPTS = 2


@dataclass(frozen=True)
class Tools:
    """What every worker of the node shares."""

    client: Client
    clock: Clock
    runtime: PodRuntime
    launcher: Launcher
    prober: Prober
    restart_delay: float
    longest_restart_delay: float
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the node stops."""

    async def pause(self, seconds: float) -> None:
        """Before something is tried again: `seconds`, or less where the node stops."""
        sleep = asyncio.create_task(self.clock.sleep(seconds))
        leaving = asyncio.create_task(self.leaving.wait())
        try:
            await asyncio.wait({sleep, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sleep, leaving):
                task.cancel()
            await asyncio.gather(sleep, leaving, return_exceptions=True)


async def cut_short(task: asyncio.Task[None]) -> None:
    """Cancel it and wait for its end. Who is cancelled meanwhile is cancelled, and does not take that for its end."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


class Tell:
    """How a container speaks to its pod: it has begun, the status has changed, something happened."""

    def __init__(
        self, begun: Callable[[], None], publish: Callable[[], None], event: Callable[[str, str, str], None]
    ) -> None:
        self.begun, self.publish, self.event = begun, publish, event


class Container:
    def __init__(self, tools: Tools, view: View, pod: Callable[[], Object], tell: Tell) -> None:
        self.view = view
        self.up = asyncio.Event()
        """Set once it has started as its startup probe sees it."""
        self._tools, self._pod, self._tell = tools, pod, tell
        self._over = asyncio.Event()
        self._failures = 0
        self._at_once = False
        self._unready = ""
        """Why it is not ready, as it was told last."""

    @property
    def id(self) -> ContainerId:
        return ContainerId(meta.uid(self._pod()), self.view.name, self.view.attempt)

    # What others tell it

    def recover(self, states: Sequence[ContainerState]) -> None:
        """`states` are all attempts that are on disk, oldest first."""
        found_anew = self.view.state is None
        if states:
            self.view.attempt = self._failures = states[-1].id.attempt
            self._take(states[-1])
            # What ended while there was no node, or with it, is no crash of its own: it runs again at once.
            self._at_once = not states[-1].running
            if found_anew and states[-1].running:
                self._take_word()
        if len(states) > 1:
            self.view.last, self.view.last_message = states[-2], self._message(states[-2])

    def _take_word(self) -> None:
        """It ran on while there was no node: it is as ready as it was said to be, until a probe says otherwise."""
        said = pod_statuses.of_container(self._pod(), self.view.name)
        if said.get("restartCount") == self.view.attempt:
            self.view.started, self.view.ready = bool(said.get("started")), bool(said.get("ready"))

    def ended(self, state: ContainerState) -> None:
        if state.id.attempt == self.view.attempt:
            self._take(state)

    def _take(self, state: ContainerState) -> None:
        self.view.state = state
        if state.running:
            self._over.clear()
        else:
            self.view.message = self._message(state)
            self.view.ready = self.view.started = False
            self._over.set()

    # Its life

    async def run(self) -> bool:
        """Until it will not run again. Whether it ended well."""
        while True:
            if self.view.state is None:
                await self._start()
            if self.view.running:
                await self._watch_over()
            self._tell.publish()
            if not runs_again(self._pod(), self.view):
                return self.view.succeeded
            await self._wait_before_restart()
            self._forget_old_attempts()

    async def stop(self, deadline: Callable[[], float]) -> None:
        """preStop, SIGTERM, and SIGKILL when `deadline()`, which may move, has come."""
        if not self.view.running:
            return
        clock, runtime = self._tools.clock, self._tools.runtime
        await self._hook("preStop", max(deadline() - clock.now(), 1.0))
        latest = clock.now() + _LEAST_GRACE
        if self.view.running:
            await runtime.signal(self.id, _stop_signal(self.view.spec))
        while self.view.running and (left := max(deadline(), min(latest, deadline() + _LEAST_GRACE)) - clock.now()) > 0:
            await self._end_within(min(left, 1.0))
        if self.view.running:
            await runtime.signal(self.id, signal.SIGKILL)
            await self._over.wait()
        self._tell.publish()

    async def _start(self) -> None:
        view, delay, said = self.view, 0.2, ""
        self._over.clear()
        while view.state is None:
            try:
                spec = await self._tools.launcher.spec(self._pod(), view.spec, view.attempt)
                awaited = await self._tools.runtime.awaits(spec)
                if awaited and view.waiting[0] != _PULL_BACK_OFF:
                    view.waiting = awaited
                    self._tell.publish()
                state = await self._tools.runtime.start(spec)
                if state.running and state.message:
                    self._tell.event("VolumePathsReplaced", state.message, "Warning")
                self._tell_lost(spec, state)
                if view.state is None:  # it may have ended already, and have said so
                    self._take(state)
                return
            except CannotStart as problem:
                why = (problem.reason, problem.message)
            except (errors.ApiError, OSError) as problem:
                why = ("CreateContainerConfigError", str(problem))
            if view.waiting != why and view.waiting[0] != _PULL_BACK_OFF:
                view.waiting = why
                self._tell.publish()
            if why[1] != said:
                said = why[1]
                self._tell.event("Failed", f"Error: {why[0]}: {why[1]}", "Warning")
            delay = await self._wait_before_start(why, delay)

    def _tell_lost(self, spec: ContainerSpec, state: ContainerState) -> None:
        """Once for a container: nothing that it asks for is left out in silence."""
        lost = security.lost_on_a_process(spec.security) if state.handler == PROCESS and not self.view.attempt else []
        if lost:
            text = (
                f"container {self.view.name} is a process of the user who runs Fairway, and does not keep of its "
                f"securityContext: {', '.join(lost)}. A container engine does: fairway.dev/runtime: container"
            )
            self._tell.event("SecurityContextNotKept", text, "Normal")

    async def _wait_before_start(self, why: Waiting, delay: float) -> float:
        """The next delay. A pull that failed is told of before it is said to wait, as the kubelet does."""
        if why[0] in _LASTING:
            await asyncio.Event().wait()  # until the pod is deleted
        if why[0] == _PULL_FAILED:
            delay = max(delay, _PULL_DELAY)
            await self._tools.clock.sleep(_PULL_DELAY)
            self.view.waiting = (_PULL_BACK_OFF, f'Back-off pulling image "{self.view.spec["image"]}": {why[1]}')
            self._tell.publish()
        await self._tools.clock.sleep(delay)
        return min(delay * 2, _LONGEST_BACK_OFF if why[0] in _RARELY else _LONGEST_DELAY)

    async def _watch_over(self) -> None:
        view = self.view
        view.started = view.started or not (view.spec.get("startupProbe") or _hook_of(view.spec, "postStart"))
        view.ready = view.ready or (view.started and not view.spec.get("readinessProbe"))
        if view.started:
            self.up.set()
        self._tell.begun()
        care = None
        if any(view.spec.get(name) for name in ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle")):
            care = asyncio.create_task(self._care(), name=f"probes-{view.name}")
        try:
            await self._over.wait()
        finally:
            if care:
                await cut_short(care)

    async def _end_within(self, seconds: float) -> None:
        sleep = asyncio.create_task(self._tools.clock.sleep(seconds))
        over = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait({sleep, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sleep, over):
                task.cancel()
            await asyncio.gather(sleep, over, return_exceptions=True)

    # Again?

    async def _wait_before_restart(self) -> None:
        view, ended = self.view, self.view.state
        assert ended is not None
        if ended.finished_at - ended.started_at >= _CALM:
            self._failures = 0
        view.last, view.last_message = ended, view.message
        view.state, view.message = None, ""
        if self._at_once:
            self._at_once, self._failures = False, 0
            view.waiting, view.attempt = CREATING, view.attempt + 1
            return
        delay = back_off(self._tools.restart_delay, self._failures, self._tools.longest_restart_delay)
        self._failures += 1
        pod = self._pod()
        view.waiting = (
            "CrashLoopBackOff",
            f"back-off {delay:g}s restarting failed container={view.name} "
            f"pod={meta.name(pod)}_{meta.namespace(pod)}({meta.uid(pod)})",
        )
        self._tell.publish()
        if self._failures > 1:
            self._tell.event("BackOff", f"Back-off restarting failed container {view.name}", "Warning")
        await self._tools.clock.sleep(ended.finished_at + delay - self._tools.clock.now())
        view.waiting = CREATING
        view.attempt += 1

    def _forget_old_attempts(self) -> None:
        oldest = self.view.attempt - _KEPT_ATTEMPTS
        if oldest >= 0:
            self._tools.runtime.forget(ContainerId(self.id.pod, self.view.name, oldest))

    # Probes and hooks

    async def _care(self) -> None:
        view, spec = self.view, self.view.spec
        if not view.started:
            if not await self._hook("postStart", 3600.0):
                await self._kill("postStart hook failed")
                return
            if spec.get("startupProbe"):
                await self._follow("startupProbe", self._hear_startup)
            else:
                self._be_up()
        if not view.started:
            return
        async with asyncio.TaskGroup() as tasks:
            for name, hear in (("readinessProbe", self._hear_readiness), ("livenessProbe", self._hear_liveness)):
                if spec.get(name):
                    tasks.create_task(self._follow(name, hear))

    async def _follow(self, name: str, hear: Callable[[Outcome], Awaitable[bool]]) -> None:
        spec = self.view.spec
        host = self._tools.launcher.address(self._pod())
        await self._tools.prober.follow(spec[name], spec, self.id, host, hear)

    async def _hear_startup(self, outcome: Outcome) -> bool:
        if outcome.healthy:
            self._be_up()
        else:
            self._unhealthy("Startup", outcome)
            await self._kill("failed startup probe", "startupProbe")
        return False

    async def _hear_readiness(self, outcome: Outcome) -> bool:
        if self.view.ready != outcome.healthy:
            self.view.ready = outcome.healthy
            self._tell.publish()
        if not outcome.healthy and outcome.message != self._unready:  # at its start, too; once, and not at each look
            self._unhealthy("Readiness", outcome)
        self._unready = outcome.message
        return True

    async def _hear_liveness(self, outcome: Outcome) -> bool:
        if not outcome.healthy:
            self._unhealthy("Liveness", outcome)
            await self._kill("failed liveness probe", "livenessProbe")
        return outcome.healthy

    def _be_up(self) -> None:
        self.view.started = True
        self.view.ready, self._unready = not self.view.spec.get("readinessProbe"), ""
        self.up.set()
        self._tell.publish()

    def _unhealthy(self, kind: str, outcome: Outcome) -> None:
        self._tell.event("Unhealthy", f"{kind} probe failed: {outcome.message}", "Warning")

    async def _kill(self, why: str, probe: str = "") -> None:
        """End this attempt; whether there is another is the restart policy's to say."""
        self._tell.event("Killing", f"Container {self.view.name} {why}, will be restarted", "Normal")
        own = (self.view.spec.get(probe) or {}).get("terminationGracePeriodSeconds") if probe else None
        grace = own if own is not None else grace_seconds(self._pod())
        end = self._tools.clock.now() + grace
        await self.stop(lambda: end)

    async def _hook(self, name: str, timeout: float) -> bool:
        hook = _hook_of(self.view.spec, name)
        if not hook:
            return True
        host = self._tools.launcher.address(self._pod())
        outcome = await self._tools.prober.attempt(hook, self.view.spec, self.id, host, timeout)
        if not outcome.healthy:
            reason = "FailedPostStartHook" if name == "postStart" else "FailedPreStopHook"
            self._tell.event(reason, f"{name} hook failed: {outcome.message}", "Warning")
        return outcome.healthy

    # Last words

    def _message(self, state: ContainerState) -> str:
        """What it wrote about its end, or the end of its log where the spec asks for that and it failed."""
        runtime = self._tools.runtime
        note = termination_log(runtime.folder(state.id.pod), self.view.name, state.id.attempt)
        if text := _end_of(note):
            return text
        if self.view.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError" and state.exit_code:
            return last_lines(runtime.logs(state.id), 80, 2048)
        return ""


def _end_of(note: Path) -> str:
    """The end of a file that a container may make as large as it likes, or another thing than a file."""
    with suppress(OSError):
        descriptor = os.open(note, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode):
                last = os.pread(descriptor, _LONGEST_MESSAGE, max(found.st_size - _LONGEST_MESSAGE, 0))
                return last.decode(errors="replace")
        finally:
            os.close(descriptor)
    return ""


def grace_seconds(pod: Object) -> float:
    own = pod["spec"].get("terminationGracePeriodSeconds")
    return 30.0 if own is None else float(own)


def _stop_signal(spec: Object) -> int:
    name = (spec.get("lifecycle") or {}).get("stopSignal") or "SIGTERM"
    return int(signal.Signals.__members__.get(name, signal.SIGTERM))


def _hook_of(spec: Object, name: str) -> Object | None:
    return (spec.get("lifecycle") or {}).get(name)
