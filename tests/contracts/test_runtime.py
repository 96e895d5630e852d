"""Every runtime keeps the contract: the one for tests, and a machine's, with processes and with containers."""

from pathlib import Path

import pytest

from fairway.cluster.node.fake import Disk, FakeRuntime
from fairway.cluster.node.machine import CONTAINER, MachineRuntime
from fairway.cluster.node.runtime import ContainerSpec, PodRuntime
from fairway.testing import containers
from fairway.testing.runtime_contract import Ends, RuntimeContract


@pytest.fixture(scope="session")
def local() -> containers.Local:
    return containers.local()


ANSWER = "read line; echo got $line"


class TestFakeRuntime(RuntimeContract):
    talks = False

    @pytest.fixture(autouse=True)
    def disk(self, tmp_path: Path) -> None:
        self.kept = Disk(tmp_path)

    async def open_runtime(self, ended: Ends) -> PodRuntime:
        runtime = FakeRuntime(self.kept)
        await runtime.open(ended)
        return runtime

    def command(self, word: str, argument: str = "") -> tuple[str, ...]:
        return (word, argument) if argument else (word,)


class TestProcesses(RuntimeContract):
    @pytest.fixture(autouse=True)
    def data(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    async def open_runtime(self, ended: Ends) -> PodRuntime:
        runtime = MachineRuntime(self.folder)
        await runtime.open(ended)
        return runtime

    def command(self, word: str, argument: str = "") -> tuple[str, ...]:
        script = {"exit": f"exit {argument}", "print": f"echo {argument}", "stay": "exec sleep 1000", "answer": ANSWER}[
            word
        ]
        return ("sh", "-c", script)


@pytest.mark.slow
class TestContainers(RuntimeContract):
    """In whatever engine works here; an image is made of this machine's busybox."""

    unknown = "ErrImagePull"

    @pytest.fixture(autouse=True)
    def data(self, tmp_path: Path, local: containers.Local) -> None:
        self.folder = tmp_path
        self.image, self.engine = local.busybox, local.setting

    async def settled(self, runtime: PodRuntime, spec: ContainerSpec) -> None:
        assert (await runtime.exec(spec.id, self.command("exit", "0"), 10)).exit_code == 0

    async def open_runtime(self, ended: Ends) -> PodRuntime:
        runtime = MachineRuntime(self.folder, engine=self.engine, usual=CONTAINER)
        await runtime.open(ended)
        return runtime

    def command(self, word: str, argument: str = "") -> tuple[str, ...]:
        # The first process of a container hears only the signals that it asks for.
        stay = "trap 'exit 143' TERM; sleep 1000 & wait"
        script = {"exit": f"exit {argument}", "print": f"echo {argument}", "stay": stay, "answer": ANSWER}[word]
        return ("sh", "-c", script)
