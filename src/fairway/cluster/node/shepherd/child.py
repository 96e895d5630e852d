"""The other side of the fork: how a copy of the shepherd becomes a container.

Everything of the shepherd is left behind: its session, environment, folder, signal handlers, open files. Then it
either executes a program, or runs a module in the interpreter it already is, with the warm set's imports done.
No function here returns to the shepherd.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` wraps it in enumerations, which cost a short step much
import atexit
import ctypes
import fcntl
import functools
import os
import random
import resource
import runpy
import shutil
import signal
import sys
import tempfile
import termios
import threading
import time
import traceback
import warnings
from types import ModuleType, TracebackType
from typing import Any, NoReturn

from fairway.cluster.node.shepherd import mounts

# Looked up before any fork: a child should not have to search for the C library, nor for what is in it.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38

_KILL = int(signal.SIGKILL)

_TAKEN = (_signal.SIGCHLD, _signal.SIGTERM, _signal.SIGHUP)
"""The signals that the shepherd handles or ignores."""

HELD = frozenset({_signal.SIGTERM})
"""Held back from before the fork until its handler is the container's own: the shepherd's would swallow it."""

CANNOT_START = 128
"""The exit code that Kubernetes gives a container whose command could not be run (reason StartError)."""


def become(
    request: dict[str, Any],
    shepherd: int,
    files: tuple[int, int],
    gate: int,
    fault: int,
    streams: tuple[int, int, int],
    *,
    terminal: bool = False,
) -> NoReturn:
    """Wait until the shepherd has written us down, then be the container.

    A byte on `gate` lets us go on; its end without one means that the shepherd died, and so do we: a container
    without a record never runs. `files` is the limit of open files that the container gets. Text on `fault` is the
    reason why the command could not be run. `streams` become input (none where it is -1), output and standard error;
    `terminal` where they are one.
    """
    try:
        os.setsid()
        _die_with(shepherd)
        if os.read(gate, 1) != b"1":
            os._exit(CANNOT_START)
        _take_streams(streams)
        if terminal:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        _leave_signals()
        try:
            if request.get("streams"):
                _talk(request["streams"])
            if request.get("mounts"):
                mounts.enter([tuple(mount) for mount in request["mounts"]])
            if request.get("no_new_privileges") and _prctl is not None:
                _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            os.chdir(request["cwd"])
            _close_all_but(fault)
            resource.setrlimit(resource.RLIMIT_NOFILE, files)
            if request.get("module"):
                _run_module(request, fault)
            _execute(request["argv"], request["env"])
        except OSError as problem:
            os.write(fault, _sentence(request, problem).encode())
    except BaseException:
        traceback.print_exc()
    os._exit(CANNOT_START)


def _die_with(shepherd: int) -> None:
    """Nobody would read our output or note our end without the shepherd. Linux only; elsewhere pipes break."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, _KILL)
    if os.getppid() != shepherd:
        os._exit(CANNOT_START)


def _take_streams(streams: tuple[int, int, int]) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY) if streams[0] < 0 else streams[0], 0)
    os.dup2(streams[1], 1)
    os.dup2(streams[2], 2)


def _talk(paths: list[str]) -> None:
    """Let somebody talk with us: through three named pipes, or through a terminal, which then is our session's own."""
    if len(paths) == 1:
        terminal = os.open(paths[0], os.O_RDWR)
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        ends = [terminal] * 3
    else:
        # Without waiting for somebody who writes: whoever did may have finished.
        ends = [os.open(paths[0], os.O_RDONLY | os.O_NONBLOCK), *(os.open(path, os.O_WRONLY) for path in paths[1:])]
        os.set_blocking(ends[0], True)
    for number, end in enumerate(ends):
        os.dup2(end, number)


def _leave_signals() -> None:
    _signal.set_wakeup_fd(-1)
    for number in _TAKEN:
        _signal.signal(number, _signal.SIG_DFL)
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, HELD)


def _close_all_but(kept: int) -> None:
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _execute(argv: list[str], env: dict[str, str]) -> NoReturn:
    program = argv[0]
    if "/" not in program:
        found = shutil.which(program, path=env.get("PATH", os.defpath))
        if found is None:
            raise FileNotFoundError(2, "executable file not found in $PATH", program)
        program = found
    # Python ignores SIGPIPE and SIGXFSZ for itself; a program of its own expects the default.
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.execve(program, argv, env)  # noqa: S606  # this is what a node is for


def _sentence(request: dict[str, Any], problem: OSError) -> str:
    what = problem.filename or (request["argv"] or ["?"])[0]
    return f'cannot run "{what}": {problem.strerror}'


def _run_module(request: dict[str, Any], fault: int) -> NoReturn:
    """What `python -m MODULE ARGS` does from here on, including the way an interpreter ends."""
    os.close(fault)
    _take_environment(request["env"])
    module = request["module"]
    sys.argv = [module, *request["args"]]
    sys.path.insert(0, os.getcwd())
    code = 0
    try:
        if request.get("call") and module in sys.modules:
            code = _call(sys.modules[module], request["call"], request["args"])
        elif (warm := warm_code(module)) is not None:
            runpy._run_module_code(warm[2], None, "__main__", warm[1])  # type: ignore[attr-defined]  # as run_module
        else:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = _exit_code(end.code)
    except BaseException as error:
        _report(error)
        code = 130 if isinstance(error, KeyboardInterrupt) else 1
    os._exit(_finish(code))


def _call(module: ModuleType, function: str, arguments: list[str]) -> int:
    """The warm set says that this is all the module does as a main program: its code need not be run afresh."""
    sys.modules["__main__"] = module
    return int(getattr(module, function)(arguments))


@functools.cache
def warm_code(module: str) -> tuple[str, Any, Any] | None:
    """Of a module that the warm set has imported: its name, spec and code, for it to be run afresh as a main module.

    The shepherd asks before it forks: finding and reading the file again would be a fifth of a short step's time.
    """
    if module not in sys.modules:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a module that is imported already, as it must be here
        details: tuple[str, Any, Any] = runpy._get_module_details(module)  # type: ignore[attr-defined]
    return details


def _take_environment(env: dict[str, str]) -> None:
    own = os.environ.copy()
    for name in own:
        if name not in env:
            del os.environ[name]
    for name, value in env.items():
        if own.get(name) != value:
            os.environ[name] = value
    if own.get("TZ") != env.get("TZ"):
        time.tzset()
    tempfile.tempdir = None
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def _exit_code(code: object) -> int:
    """As the interpreter reads SystemExit: a number, nothing, or a text to print."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _report(error: BaseException) -> None:
    """The traceback as the user's own, without the frames that led here."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in (__file__, runpy.__file__, "<frozen runpy>"):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)


def _finish(code: int) -> int:
    """Threads are waited for, exit functions run, streams are flushed; a stream that breaks is exit code 120."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # what the interpreter itself calls here
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 120
    return code
