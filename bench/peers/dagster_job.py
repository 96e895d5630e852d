"""Dagster: a job in this process, its events and values kept by an instance on SQLite and files."""

import tempfile
from collections.abc import Iterator

import dagster
from timing import measured


@dagster.op
def noop(number: int) -> int:
    return number


@dagster.op
def zero() -> int:
    return 0


@dagster.op(out=dagster.DynamicOut(int), config_schema={"steps": int})
def numbers(context: dagster.OpExecutionContext) -> Iterator[dagster.DynamicOutput[int]]:
    for number in range(context.op_config["steps"]):
        yield dagster.DynamicOutput(number, mapping_key=str(number))


@dagster.job
def wide() -> None:
    numbers().map(noop)


def chain(steps: int) -> None:
    @dagster.job
    def line() -> None:
        value = zero()
        for number in range(steps - 1):
            value = noop.alias(f"noop_{number}")(value)

    assert line.execute_in_process(run_config=QUIET, instance=INSTANCE).success


def fan(steps: int) -> None:
    config = {"ops": {"numbers": {"config": {"steps": steps}}}, **QUIET}
    assert wide.execute_in_process(run_config=config, instance=INSTANCE).success


QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}

with tempfile.TemporaryDirectory() as folder, dagster.DagsterInstance.local_temp(folder) as INSTANCE:
    measured("dagster", {"chain": chain, "fan": fan})
