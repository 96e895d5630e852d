"""Which container engine works on this machine, and what it needs: found out once, by running a container.

    setting -> candidates -> variants (as it is; the limits that we may set; another low-level runtime) -> Engine

An engine that is installed may still not work: no daemon, control groups that it does not know, limits that it may not
raise, a network that is not this machine's. So a container is run that mounts this machine's own programs and says in
which network it is; what it takes to get there is remembered for all others. What does not work is told in words.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import logging
import os
import resource
import shlex
import shutil
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from fairway.cluster.node.engine import client
from fairway.cluster.node.engine.client import Engine, EngineFailed

log = logging.getLogger(__name__)

AUTO, NONE = "auto", "none"
KNOWN = ("podman", "docker", "nerdctl")
"""In the order in which they are looked for: podman needs no daemon, and runs as who calls it."""
NOT_WANTED = "the setting container_engine is none"
NOT_INSTALLED = "neither podman nor docker is installed"

TRIAL_IMAGE = "localhost/fairway-trial:1"
_PROGRAMS = ("/bin", "/lib", "/lib64", "/usr")
"""Folders of this machine that the trial mounts, to have something to run: its image is empty."""
_TRIAL = ("readlink", "/proc/self/ns/net")
_TRIAL_LIMIT = ("--memory", "128m")
_PATIENCE = 30.0
_FEWER_PROCESSES = 32768
"""Some engines lower their own limit of processes first, and cannot raise it to ours again."""


class Finder:
    """`setting`: auto, none, or the command of an engine with its options, as one would type it."""

    def __init__(self, folder: Path, setting: str) -> None:
        self._folder, self._setting = folder / "engine", setting
        self._task: asyncio.Task[Engine | None] | None = None
        self.why_not = "" if self.wanted else NOT_WANTED

    @property
    def wanted(self) -> bool:
        return self._setting != NONE

    @property
    def looked(self) -> bool:
        """Whether `engine` answers at once."""
        return not self.wanted or (self._task is not None and self._task.done())

    @property
    def found(self) -> Engine | None:
        """What `engine` answers, where it answers at once."""
        return self._task.result() if self._task and self._task.done() and not self._task.cancelled() else None

    def look(self) -> None:
        """Begin to look; `engine` waits for the answer."""
        if self.wanted and self._task is None:
            self._task = asyncio.create_task(self._find(), name="container-engine")

    async def engine(self) -> Engine | None:
        """The engine that works here; None where none does, and `why_not` says why."""
        self.look()
        return await asyncio.shield(self._task) if self._task else None

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _find(self) -> Engine | None:
        problems = []
        for command in candidates(self._setting):
            try:
                return await self._try(command)
            except EngineFailed as problem:
                problems.append(f"{Path(command[0]).name} does not work here: {problem}")
                log.info("container engine: %s", problems[-1])
        self.why_not = "; ".join(problems) or NOT_INSTALLED
        return None

    async def _try(self, command: tuple[str, ...]) -> Engine:
        name = Path(command[0]).name
        version = (await client.run([*command, "--version"], timeout=_PATIENCE)).output.decode(errors="replace")
        engine = Engine(name, version.strip().splitlines()[0] if version.strip() else name, command)
        await engine.call("load", "--input", str(await asyncio.to_thread(_trial_image, self._folder)))
        problem = EngineFailed(f"{name} was not tried")
        forbidden: set[tuple[str, ...]] = set()  # the kernel refuses their limits, whichever runtime asks for them
        for variant in (*self._remembered(engine), *variants(engine)):
            if variant.options in forbidden:
                continue
            try:
                found = await _checked(variant)
            except EngineFailed as failed:
                problem = failed
                if "rlimit" in str(failed):
                    forbidden.add(variant.options)
                continue
            note = {"base": engine.command, "command": found.command, "options": found.options}
            self._note.write_text(json.dumps(note))
            return found
        raise problem

    @property
    def _note(self) -> Path:
        return self._folder / "works.json"

    def _remembered(self, engine: Engine) -> Iterator[Engine]:
        """What worked at the last start is tried first: it most likely does again."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            note = json.loads(self._note.read_text())
            if tuple(note["base"]) == engine.command:
                yield replace(engine, command=tuple(note["command"]), options=tuple(note["options"]))


def candidates(setting: str) -> Iterator[tuple[str, ...]]:
    if setting not in (AUTO, ""):
        yield tuple(shlex.split(setting))
        return
    for name in KNOWN:
        if found := shutil.which(name):
            yield (found,)


def variants(engine: Engine) -> Iterator[Engine]:
    """The ways to call it, the plainest first. Options that somebody has set are left as they are."""
    runtimes: list[tuple[str, ...]] = [()]
    log_driver: tuple[str, ...] = ("--log-driver", "none")
    if engine.name == "podman":
        # The container writes to our own pipes then, and no process stands between.
        log_driver = ("--log-driver", "passthrough")
        if "--runtime" not in engine.command:
            runtimes += [("--runtime", each) for each in ("crun", "runc") if shutil.which(each)]
    for runtime in runtimes:
        for limits in ((), *_own_limits()):
            options = (*log_driver, "--security-opt", "label=disable", *limits)
            yield replace(engine, command=(*engine.command, *runtime), options=options)


def _own_limits() -> Iterator[tuple[str, ...]]:
    """An engine sets limits of its own, and may not where it cannot raise ours."""
    files, processes = (resource.getrlimit(each)[1] for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
    for most in dict.fromkeys((processes, min(processes, _FEWER_PROCESSES) if processes > 0 else _FEWER_PROCESSES)):
        yield ("--ulimit", f"nofile={files}:{files}", "--ulimit", f"nproc={most}:{most}")


async def _checked(engine: Engine) -> Engine:
    """The engine, if a container runs with it, and whether limits are kept. Raises EngineFailed."""
    answer = await _run(engine)
    if answer.code:
        raise EngineFailed(answer.said)
    if answer.output.decode().strip() != os.readlink("/proc/self/ns/net"):
        raise EngineFailed(
            "its containers are not in this machine's network (it runs in a network, a virtual machine or on a host of "
            "its own), so the services of the cluster could not reach them"
        )
    limited = await _run(engine, *_TRIAL_LIMIT)
    return replace(engine, limits=not (limited.code or _ignored(limited.said)))


async def _run(engine: Engine, *options: str) -> client.Answer:
    name = f"fairway-trial-{uuid.uuid4().hex[:12]}"
    mounts = [word for folder in _PROGRAMS if Path(folder).exists() for word in ("-v", f"{folder}:{folder}:ro")]
    words = ["run", "--rm", "--name", name, "--network", "host", "--pull", "never", *engine.options, *mounts, *options]
    try:
        return await client.run([*engine.command, *words, TRIAL_IMAGE, *_TRIAL], timeout=_PATIENCE)
    except BaseException:
        await asyncio.shield(engine.remove(name))
        raise


def _ignored(said: str) -> bool:
    return any(word in said.lower() for word in ("not supported", "ignored", "discarded"))


def _trial_image(folder: Path) -> Path:
    """An image with nothing in it but folders to mount something at, in the form that every engine loads."""
    path = folder / "trial.tar"
    if path.exists():
        return path
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for name in (*(folder.lstrip("/") for folder in _PROGRAMS), "proc", "sys", "dev", "etc", "tmp"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "config": {"Env": ["PATH=/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": "1970-01-01T00:00:00Z"}],
    }
    manifest = [{"Config": "config.json", "RepoTags": [TRIAL_IMAGE], "Layers": ["layer.tar"]}]
    contents = {
        "layer.tar": layer.getvalue(),
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(f".{os.getpid()}")
    with tarfile.open(temporary, "w") as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    with suppress(OSError):
        temporary.rename(path)
    return path
