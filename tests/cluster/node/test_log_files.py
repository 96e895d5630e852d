"""Log files as the shepherd writes them, and as a reader sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fairway.cluster.node.fake import Disk, FakeRuntime
from fairway.cluster.node.logs import Logs
from fairway.cluster.node.runtime import ContainerId, ContainerSpec
from fairway.cluster.node.shepherd.logfile import LONGEST_LINE, LogFile
from fairway.kernel.clock import SystemClock
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import POD, Object


@dataclass(frozen=True)
class Options:
    container: str = "main"
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: float | None = None
    limit_bytes: int | None = None
    stream: str = ""


@pytest.fixture
def log(tmp_path: Path) -> LogFile:
    return LogFile(str(tmp_path / "log"))


def lines(tmp_path: Path) -> list[tuple[str, str, str]]:
    """(stream, mark, text)"""
    split = [line.split(" ", 3) for line in (tmp_path / "log").read_text().splitlines()]
    return [(stream, mark, text) for _, stream, mark, text in split]


def test_lines_are_put_together_for_each_stream(log: LogFile, tmp_path: Path) -> None:
    log.write("stdout", b"one\ntw")
    log.write("stderr", b"error\n")
    log.write("stdout", b"o\n\n")
    log.close()
    assert lines(tmp_path) == [
        ("stdout", "F", "one"), ("stderr", "F", "error"), ("stdout", "F", "two"), ("stdout", "F", ""),
    ]  # fmt: skip


def test_a_last_line_without_an_end_is_kept(log: LogFile, tmp_path: Path) -> None:
    log.write("stdout", b"no end")
    log.close()
    assert lines(tmp_path) == [("stdout", "P", "no end")]


def test_a_long_line_is_cut_into_marked_pieces(log: LogFile, tmp_path: Path) -> None:
    log.write("stdout", b"x" * (LONGEST_LINE * 2 + 5) + b"\n")
    log.close()
    assert [(mark, len(text)) for _, mark, text in lines(tmp_path)] == [
        ("P", LONGEST_LINE), ("P", LONGEST_LINE), ("F", 5),
    ]  # fmt: skip


def test_a_full_file_is_put_aside_and_no_more_than_one(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"), largest=1000)
    for number in range(100):
        log.write("stdout", f"line {number}\n".encode())
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert lines(tmp_path)[-1][2] == "line 99"


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[FakeRuntime]:
    runtime = FakeRuntime(Disk(tmp_path))
    container = ContainerId("u", "main", 0)
    await runtime.start(ContainerSpec(container, "busybox", ("stay",)))
    for number in range(5):
        runtime.write(container, f"line {number}")
    yield runtime


async def read(runtime: FakeRuntime, **options: object) -> str:
    return await read_of({"state": {"running": {}}}, runtime, **options)


async def read_of(status: Object, runtime: FakeRuntime, **options: object) -> str:
    """What a reader gets while the container's status is this one."""
    pod = POD.new("p", "default", metadata={"uid": "u"}, status={"containerStatuses": [{"name": "main", **status}]})
    pieces = Logs(runtime).read(pod, Options(**options))  # type: ignore[arg-type]
    return b"".join([piece async for piece in pieces]).decode()


async def test_what_a_reader_may_ask_for(runtime: FakeRuntime) -> None:
    assert await read(runtime) == "".join(f"line {number}\n" for number in range(5))
    assert await read(runtime, tail_lines=1) == "line 4\n"
    assert await read(runtime, tail_lines=0) == ""
    assert await read(runtime, limit_bytes=8) == "line 0\nl"
    now = SystemClock().now()
    assert await read(runtime, since=now - 3600, tail_lines=1) == "line 4\n"
    assert await read(runtime, since=now + 3600) == ""
    stamp, text = (await read(runtime, timestamps=True, tail_lines=1)).split(" ", 1)
    assert (stamp[-1], text) == ("Z", "line 4\n")


async def test_a_line_of_which_a_full_disk_took_a_part_hides_no_other(runtime: FakeRuntime) -> None:
    path = runtime.logs(ContainerId("u", "main", 0))[-1]
    path.write_bytes(b"2026-01-0\n" + path.read_bytes() + b"2026-01-02T03:04:05.000000006Z stdout\n")
    assert await read(runtime, tail_lines=2) == "line 4\n"
    assert (await read(runtime, since=1.0)).startswith("line 0\n")


async def test_there_is_no_previous_log_before_a_restart(runtime: FakeRuntime) -> None:
    with pytest.raises(errors.BadRequest, match="previous terminated container"):
        await read(runtime, previous=True)


async def test_the_previous_log_while_a_container_waits_for_its_next_attempt_is_that_of_its_last(
    runtime: FakeRuntime,
) -> None:
    runtime.end(ContainerId("u", "main", 0), 3)
    waiting = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 3}}}
    assert await read_of(waiting, runtime, previous=True, tail_lines=1) == "line 4\n"
    with pytest.raises(errors.BadRequest, match="previous terminated container"):
        await read_of({"state": {"terminated": {"exitCode": 3}}}, runtime, previous=True)


async def test_a_container_that_has_not_started_has_no_log(runtime: FakeRuntime) -> None:
    with pytest.raises(errors.BadRequest, match="waiting to start"):
        await read(runtime, container="other")
