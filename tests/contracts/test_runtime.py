"""Both runtimes keep the contract."""

from pathlib import Path

import pytest

from fairway.cluster.node.fake import Disk, FakeRuntime
from fairway.cluster.node.process import ProcessRuntime
from fairway.cluster.node.runtime import PodRuntime
from fairway.testing.runtime_contract import Ends, RuntimeContract


class TestFakeRuntime(RuntimeContract):
    @pytest.fixture(autouse=True)
    def disk(self, tmp_path: Path) -> None:
        self.kept = Disk(tmp_path)

    async def open_runtime(self, ended: Ends) -> PodRuntime:
        runtime = FakeRuntime(self.kept)
        await runtime.open(ended)
        return runtime

    def command(self, word: str, argument: str = "") -> tuple[str, ...]:
        return (word, argument) if argument else (word,)


class TestProcessRuntime(RuntimeContract):
    @pytest.fixture(autouse=True)
    def data(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    async def open_runtime(self, ended: Ends) -> PodRuntime:
        runtime = ProcessRuntime(self.folder)
        await runtime.open(ended)
        return runtime

    def command(self, word: str, argument: str = "") -> tuple[str, ...]:
        script = {"exit": f"exit {argument}", "print": f"echo {argument}", "stay": "exec sleep 1000"}[word]
        return ("sh", "-c", script)
