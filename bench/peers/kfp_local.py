"""kfp.local: the SDK's own runner, with a process for each step and no pip in it."""

import tempfile

from kfp import dsl, local
from timing import measured


@dsl.component(install_kfp_package=False)
def noop(number: int) -> int:
    return number


@dsl.pipeline
def fan_out(numbers: list[int]) -> None:
    with dsl.ParallelFor(numbers) as number:
        noop(number=number)


def chain(steps: int) -> None:
    @dsl.pipeline
    def line() -> None:
        previous = noop(number=0)
        for _ in range(steps - 1):
            previous = noop(number=previous.output)

    line()


def fan(steps: int) -> None:
    fan_out(numbers=list(range(steps)))


with tempfile.TemporaryDirectory() as folder:
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=folder)
    measured("kfp", {"chain": chain, "fan": fan})
