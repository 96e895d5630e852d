"""Luigi: tasks with a file each, which is all that it knows of what was done; its local scheduler, one worker."""

import tempfile
from pathlib import Path

import luigi
from timing import measured


class Link(luigi.Task):
    folder = luigi.Parameter()
    number = luigi.IntParameter()

    def requires(self) -> list[luigi.Task]:
        return [Link(self.folder, self.number - 1)] if self.number else []

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(f"{self.folder}/link-{self.number}")

    def run(self) -> None:
        value = self.input()[0].open().read() if self.number else "0"
        with self.output().open("w") as file:
            file.write(value)


class Leaf(luigi.Task):
    folder = luigi.Parameter()
    number = luigi.IntParameter()

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(f"{self.folder}/leaf-{self.number}")

    def run(self) -> None:
        with self.output().open("w") as file:
            file.write(str(self.number))


def build(tasks: list[luigi.Task]) -> None:
    assert luigi.build(tasks, local_scheduler=True, workers=1, log_level="WARNING", no_lock=True)


def chain(steps: int) -> None:
    build([Link(str(Path(ROOT, f"chain-{steps}")), steps - 1)])


def fan(steps: int) -> None:
    build([Leaf(str(Path(ROOT, f"fan-{steps}")), number) for number in range(steps)])


with tempfile.TemporaryDirectory() as ROOT:
    measured("luigi", {"chain": chain, "fan": fan})
