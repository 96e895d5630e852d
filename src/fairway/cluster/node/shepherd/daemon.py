"""The shepherd's one loop: requests from the agent, output of containers, ends of children.

Requests and answers are JSON lines over a unix socket in a folder that only its user can enter:

    {"seq", "op": "start", "id", "folder", "make", "address", "argv", "env", "cwd", "mounts"?, "module"?, "args"?,
     "call"?, "memory"?, "keep"?, "tells"?, "input"?, "once"?, "terminal"?}
    {"seq", "op": "signal", "id", "signal"}     {"seq", "op": "exec", "id", "argv", "timeout", "streams"?}
    {"seq", "op": "attach", "id", "name", "streams"}     {"op": "detach", "id", "name"}
    {"op": "resize", "id", "width", "height"}     {"seq", "op": "list"}
    {"seq", "op": "retire"}: end as soon as nothing runs

"keep" is written down with the record and told with the end. "tells": the process stands for a container of an engine.
"streams" are the paths of what somebody talks through: three named pipes, or one terminal.

"input": its standard input is open for whoever attaches, and ends with the first of them where it is "once".

An answer carries "seq" and "ok" or "error"; `{"ended": id, ...exit record}` comes unasked. Nothing blocks here but
the fork itself. The loop has one thread, so a fork copies a process that is at rest.
"""

from __future__ import annotations

import fcntl
import functools
import os
import selectors
import signal
import socket
import struct
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fairway.cluster.node.shepherd import child, memory, records, streams
from fairway.cluster.node.shepherd.attaching import Attaching
from fairway.cluster.node.shepherd.links import Link
from fairway.cluster.node.shepherd.running import Container, Execution, decode, verdict
from fairway.cluster.node.shepherd.strays import Strays

PATIENCE = 30.0
"""Seconds without a server and without children after which a shepherd ends."""
IDLE = 600.0
"""Seconds without children after which it ends though a server is there: what it keeps warm costs memory."""
_CHUNK = 64 * 1024
_MOST_EXEC_OUTPUT = 64 * 1024


class Shepherd:
    def __init__(self, listener: socket.socket, *, name: str, mounts: bool, files: tuple[int, int]) -> None:
        self._listener, self._name, self._mounts, self._files = listener, name, mounts, files
        self._selector = selectors.DefaultSelector()
        self._links: set[Link] = set()
        self._containers: dict[str, Container] = {}
        self._by_pid: dict[int, Container] = {}
        self._executions: dict[int, Execution] = {}
        self._quiet_since = time.monotonic()
        self._retired = False
        self._strays = Strays()
        self._attaching = Attaching(self._selector, self._answer_attached)
        self._signals = _child_signals()

    def run(self) -> None:
        self._watch(self._listener.fileno(), self._accept)
        self._watch(self._signals, self._reap)
        while not self._superfluous():
            for key, events in self._selector.select(self._nearest_deadline()):
                # What came before in this round may have closed it, and opened another of the same number.
                current = self._selector.get_map().get(key.fd)
                if current is not None and current.data is key.data:
                    key.data(events)
            self._end_late_executions()
            self._strays.end(self._by_pid.values(), self._started)
            self._end_without_home()

    # Connections

    def _watch(self, descriptor: int, ready: Callable[[int], None], events: int = selectors.EVENT_READ) -> None:
        self._selector.register(descriptor, events, ready)

    def _accept(self, _: int) -> None:
        connection, _address = self._listener.accept()
        connection.setblocking(False)
        link = Link(connection)
        self._links.add(link)
        self._watch(connection.fileno(), lambda events: self._converse(link, events))
        self._send(link, {"hello": self._name, "mounts": self._mounts})
        self._quiet_since = time.monotonic()

    def _converse(self, link: Link, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self._send(link, None)
            if events & selectors.EVENT_READ:
                for request in link.receive():
                    self._serve(link, request)
        except BlockingIOError:
            return
        except OSError:
            self._drop(link)

    def _send(self, link: Link, message: dict[str, Any] | None) -> None:
        try:
            link.send(message)
        except OSError:
            self._drop(link)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.unsent else 0)
        key = self._selector.get_key(link.connection)
        if key.events != wanted:
            self._selector.modify(link.connection, wanted, key.data)

    def _drop(self, link: Link) -> None:
        if link in self._links:
            self._links.discard(link)
            self._selector.unregister(link.connection)
            link.connection.close()
            self._quiet_since = time.monotonic()
            self._end_executions(lambda execution: execution.link is link)  # nobody hears them any more
            for container in self._containers.values():
                self._attaching.forget(container, link)

    # Requests

    def _serve(self, link: Link, request: dict[str, Any]) -> None:
        seq = request.get("seq")
        try:
            match request["op"]:
                case "start":
                    answer = self._start(request)
                case "signal":
                    answer = self._signal(request["id"], request["signal"])
                case "retire":
                    self._retired, answer = True, {}
                case "list":
                    answer = {"running": list(self._containers)}
                case "attach":
                    self._attaching.attach(link, self._containers[request["id"]], request)
                    return
                case "detach":
                    if container := self._containers.get(request["id"]):
                        self._attaching.detach(container, request["name"])
                    return
                case "resize":
                    self._resize(request)
                    return
                case "exec":
                    self._exec(link, request)
                    return
                case other:
                    raise ValueError(f"this shepherd does not know how to {other}")
        except (OSError, ValueError, KeyError) as problem:
            self._send(link, {"seq": seq, "error": f"{type(problem).__name__}: {problem}"})
            return
        self._send(link, {"seq": seq, "ok": answer})

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        """Fork, write down, then let go: a container that runs is one that is on record."""
        folder = request["folder"]
        written = records.read(folder, records.RECORD)
        if written is not None:
            return written
        _make(folder, *request["make"])
        gate, opener = os.pipe()
        fault, fault_in = os.pipe()
        its = streams.opened(request)
        limit = memory.limit(request["id"], request.get("memory") or 0)
        started, parent = time.time(), os.getpid()
        if request.get("module") and not request.get("call"):
            child.warm_code(request["module"])
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, child.HELD)
        try:
            pid = os.fork()
        except OSError:  # no more processes for now: it is asked for again
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            _close(gate, opener, fault, fault_in)
            its.close_theirs()
            its.close_ours()
            if limit:
                limit.close()
            raise
        if pid == 0:
            os.close(opener)
            child.become(request, parent, self._files, gate, fault_in, its.theirs, terminal=its.terminal >= 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        its.close_theirs()
        for descriptor in (gate, fault_in):
            os.close(descriptor)
        record = {"id": request["id"], "pid": pid, "started": started, "shepherd": self._name}
        record |= {"address": request["address"], **request.get("keep", {})}
        try:
            container = Container(request, pid, started, fault, limit, its)
            records.write(folder, records.RECORD, {**record, "ticks": records.start_ticks(pid)})
        except OSError:
            its.close_ours()
            for descriptor in (opener, fault):  # without the opener's byte the child ends
                os.close(descriptor)
            raise
        self._containers[container.id] = self._by_pid[pid] = container
        for descriptor in its.pipes:
            os.set_blocking(descriptor, False)
            self._watch(descriptor, functools.partial(self._ready_to_pump, container, descriptor))
        os.write(opener, b"1")
        os.close(opener)
        return record

    def _signal(self, container_id: str, number: int) -> dict[str, Any]:
        container = self._containers.get(container_id)
        if container is not None:
            try:
                os.killpg(container.pid, number)
            except ProcessLookupError:  # it has been forked a moment ago, and does not lead a group yet
                with suppress(ProcessLookupError):
                    os.kill(container.pid, number)
        return {}

    def _exec(self, link: Link, request: dict[str, Any]) -> None:
        container = self._containers[request["id"]]
        gate, opener = os.pipe()
        out, out_in = os.pipe()
        wanted = {**container.request, "argv": request["argv"], "module": None, "streams": request.get("streams")}
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            _close(gate, opener, out, out_in)
            raise
        if pid == 0:
            os.close(opener)
            child.become(wanted, parent, self._files, gate, out_in, (-1, out_in, out_in))
        os.close(gate)
        os.close(out_in)
        os.set_blocking(out, False)
        execution = Execution(link, request["seq"], container.id, pid, out, time.monotonic() + request["timeout"])
        self._executions[pid] = execution
        self._watch(out, lambda _: self._ready_to_collect(execution))
        os.write(opener, b"1")
        os.close(opener)

    def _resize(self, request: dict[str, Any]) -> None:
        container = self._containers.get(request["id"])
        if container and container.terminal in container.pipes:
            size = struct.pack("HHHH", request["height"], request["width"], 0, 0)
            with suppress(OSError):
                fcntl.ioctl(container.terminal, termios.TIOCSWINSZ, size)

    # Output

    def _ready_to_pump(self, container: Container, descriptor: int, _: int) -> None:
        self._pump(container, descriptor)

    def _ready_to_collect(self, execution: Execution) -> None:
        self._collect(execution)

    def _pump(self, container: Container, descriptor: int) -> bool:
        """Move what a pipe holds into the log; False when there is no more for now."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # a terminal that nobody has open any more
            data = b""
        if data:
            container.log.write(container.pipes[descriptor], data)
            self._attaching.say(container, container.pipes[descriptor], data)
            return True
        self._close_pipe(container, descriptor)
        return False

    def _close_pipe(self, container: Container, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)
        del container.pipes[descriptor]

    def _collect(self, execution: Execution) -> bool:
        try:
            data = os.read(execution.pipe, _CHUNK)
        except BlockingIOError:
            return False
        room = _MOST_EXEC_OUTPUT - len(execution.output)
        execution.output += data[:room]
        if not data and execution.pipe in self._selector.get_map():
            self._selector.unregister(execution.pipe)
        return bool(data)

    # Ends

    def _reap(self, _: int) -> None:
        _drain(self._signals)
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            if self._started(ended.si_pid):
                # Its session goes with it, while its pid cannot yet be given to another process.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(ended.si_pid, signal.SIGKILL)
            _, status = os.waitpid(ended.si_pid, 0)
            if container := self._by_pid.pop(ended.si_pid, None):
                self._strays.leave(container)
                self._finish(container, status)
            elif execution := self._executions.pop(ended.si_pid, None):
                self._answer(execution, status)

    def _started(self, pid: int) -> bool:
        """Whether it is a process of ours, and not one that was left to us."""
        return pid in self._by_pid or pid in self._executions

    def _finish(self, container: Container, status: int) -> None:
        for descriptor in list(container.pipes):
            while descriptor in container.pipes and self._pump(container, descriptor):
                pass
        for descriptor in list(container.pipes):
            self._close_pipe(container, descriptor)
        container.log.close()
        self._attaching.end(container)
        if container.input >= 0:
            os.close(container.input)
        record = {"finished": time.time(), **verdict(container, status)}
        os.close(container.fault)
        with suppress(OSError):  # a full disk; the agent still hears of it
            records.write(container.folder, records.EXIT, record)
        del self._containers[container.id]
        self._quiet_since = time.monotonic()
        self._end_executions(lambda execution: execution.container == container.id)
        for link in list(self._links):
            told = {"ended": container.id, "started": container.started, **record}
            self._send(link, {**container.request.get("keep", {}), **told})

    def _answer(self, execution: Execution, status: int) -> None:
        while self._collect(execution):
            pass
        if execution.pipe in self._selector.get_map():
            self._selector.unregister(execution.pipe)
        os.close(execution.pipe)
        if execution.late:
            answer: dict[str, Any] = {"seq": execution.seq, "error": "timeout"}
        else:
            code, _ = decode(status)
            text = bytes(execution.output).decode(errors="replace")
            answer = {"seq": execution.seq, "ok": {"code": code, "output": text}}
        if execution.link in self._links:
            self._send(execution.link, answer)

    def _answer_attached(self, link: Link, message: dict[str, Any]) -> None:
        if link in self._links:
            self._send(link, message)

    def _end_late_executions(self) -> None:
        now = time.monotonic()
        for execution in self._executions.values():
            if execution.deadline <= now and not execution.late:
                execution.late = True
                _kill(execution)

    def _end_executions(self, wanted: Callable[[Execution], bool]) -> None:
        for execution in self._executions.values():
            if wanted(execution):
                _kill(execution)

    def _end_without_home(self) -> None:
        """Somebody deleted the data directory: no server will ever ask for these containers again."""
        if not self._links and not os.path.exists(f"{self._name}.sock"):
            self._retired = True
            for container in self._containers.values():
                # Who stands for a container takes it along.
                number = signal.SIGTERM if container.request.get("tells") else signal.SIGKILL
                with suppress(ProcessLookupError):
                    os.killpg(container.pid, number)

    # Time

    def _nearest_deadline(self) -> float:
        now = time.monotonic()
        deadlines = [execution.deadline for execution in self._executions.values() if not execution.late]
        if self._strays.left:
            deadlines.append(self._strays.look_at)
        if not self._containers and not self._executions:
            deadlines.append(self._quiet_since + (IDLE if self._links else PATIENCE))
        longest = IDLE if self._links else PATIENCE  # alone, it looks for its folder now and then
        return max(0.0, min(deadlines, default=now + longest) - now)

    def _superfluous(self) -> bool:
        if self._containers or self._executions or self._strays.left:
            return False
        return self._retired or time.monotonic() - self._quiet_since >= (IDLE if self._links else PATIENCE)


def _kill(execution: Execution) -> None:
    """With all of its session; or itself alone, where it was forked a moment ago and leads none yet."""
    try:
        os.killpg(execution.pid, signal.SIGKILL)
    except ProcessLookupError:
        with suppress(ProcessLookupError):
            os.kill(execution.pid, signal.SIGKILL)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _make(*folders: str) -> None:
    for folder in folders:
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            continue
        except FileNotFoundError:
            os.makedirs(folder, 0o700)


def _child_signals() -> int:
    """A descriptor that becomes readable when a child ends."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reader


def _drain(descriptor: int) -> None:
    with suppress(BlockingIOError):
        os.read(descriptor, _CHUNK)
