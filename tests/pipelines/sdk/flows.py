"""Pipelines that the tests of the SDK run."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Output


@dsl.component(base_image="python:3.11")
def measure(n: int, rows: Output[Dataset], quality: Output[Metrics]) -> int:
    print("measuring", flush=True)
    with open(rows.path, "w") as file:
        file.write("x,y\n")
        file.writelines(f"{number},{number * number}\n" for number in range(n))
    quality.log_metric("share", 0.5)
    return n


@dsl.component(base_image="python:3.11")
def add_up(rows: Input[Dataset], factor: int = 1) -> int:
    with open(rows.path) as file:
        next(file)
        return factor * sum(int(line.split(",")[1]) for line in file)


@dsl.component(base_image="python:3.11")
def once(flag: str) -> str:
    import os  # noqa: PLC0415 - the body of a step carries its own imports

    if not os.path.exists(flag):
        open(flag, "w").close()
        raise RuntimeError("the first time it fails")
    return "fine"


@dsl.component(base_image="python:3.11")
def talk(until: str) -> str:
    import os  # noqa: PLC0415 - the body of a step carries its own imports
    import time  # noqa: PLC0415

    print("first", flush=True)
    while not os.path.exists(until):
        time.sleep(0.02)
    print("last", flush=True)
    return "talked"


@dsl.component(base_image="python:3.11")
def double(x: int) -> int:
    print(f"doubling {x}")
    return 2 * x


@dsl.component(base_image="python:3.11")
def exists(path: str) -> bool:
    import os  # noqa: PLC0415

    return os.path.exists(path)


@dsl.pipeline(name="squares")
def squares(n: int = 4, factor: int = 1) -> int:
    made = measure(n=n)
    return add_up(rows=made.outputs["rows"], factor=factor).output


@dsl.pipeline(name="added")
def added(rows: Input[Dataset], factor: int = 1) -> int:
    return add_up(rows=rows, factor=factor).output


@dsl.pipeline(name="doubled")
def doubled() -> None:
    with dsl.ParallelFor([1, 2, 3]) as x:
        double(x=x)


@dsl.pipeline(name="mended")
def mended(flag: str) -> str:
    return once(flag=flag).output


@dsl.pipeline(name="talking")
def talking(until: str) -> None:
    talk(until=until)


@dsl.pipeline(name="looked-at")
def looked_at() -> None:
    """Its step stands still until somebody has looked, as kfp-kubernetes' `set_debug_pause` asks for."""
    measure(n=1).set_env_variable("ARGO_DEBUG_PAUSE_BEFORE", "true")
