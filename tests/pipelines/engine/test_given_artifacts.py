"""Artifacts as inputs of a run: by id, by address, and by address with metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from places import Here
from specs import In, Out, Spec, task
from sqlalchemy import select

from fairway.kernel.objects import errors
from fairway.pipelines import ir
from fairway.pipelines.api import arguments
from fairway.pipelines.tables import artifacts, runs, task_artifacts

READ = (
    "def run(data: Input[Dataset]) -> str:\n"
    "    return open(data.path).read() + ' ' + str(data.metadata.get('rows', 'no')) + ' rows'\n"
)


def _reading(*, optional: bool = False, many: bool = False, cached: bool = False) -> dict[str, Any]:
    spec = Spec().python("read", READ, {"data": "Dataset"}, {"Output": str})
    tasks = {"read": task("read", {}, {"data": In("given")}, cached=cached)}
    document = spec.compiled(tasks, {"given": "[Dataset]" if many else "Dataset"}, {"Output": str}, Output=Out("read"))
    document["root"]["inputDefinitions"]["artifacts"]["given"]["isOptional"] = optional
    return document


def _checked(value: Any, **shape: bool) -> Any:
    given = {} if value is None else {"given": value}
    return arguments.checked(ir.load(_reading(**shape)), given)


@pytest.mark.parametrize("value", ["s3://bucket/x", "/data/x", {"uri": "/data/x", "metadata": {"rows": 3}}, "an-id"])
def test_an_artifact_is_given_in_one_of_three_ways(value: Any) -> None:
    assert _checked(value) == {"given": value}
    assert _checked([value, value], many=True) == {"given": [value, value]}


@pytest.mark.parametrize("value", [3, "", {"address": "/x"}, {"uri": 3}, {"uri": "/x", "metadata": []}, ["/x"]])
def test_anything_else_is_refused_with_what_to_give(value: Any) -> None:
    with pytest.raises(errors.BadRequest, match=r"given is an artifact, and .* give an artifact's id, an address"):
        _checked(value)


def test_one_that_is_needed_is_missed_and_one_that_is_not_is_not() -> None:
    with pytest.raises(errors.BadRequest, match="needs a value for given"):
        _checked(None)
    assert _checked(None, optional=True) == {}
    with pytest.raises(errors.BadRequest, match="no parameter other; it has given"):
        arguments.checked(ir.load(_reading()), {"other": 1})


@pytest.mark.slow
async def test_a_run_reads_what_it_is_given_and_the_cache_knows_an_address_again(here: Here, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b")
    document = _reading(cached=True)

    async def played(value: Any) -> tuple[str, str]:
        run_id = await here.submit(document, given=value)
        run = await here.ended(run_id)
        query = select(runs.c.outputs).where(runs.c.id == run_id)
        outputs = (await here.records.read(lambda c: c.execute(query).scalar_one())) or {}
        states = await here.states(run_id)
        return outputs.get("Output", run["status"]["message"]), states.get("read", "")

    async with here.engine():
        assert await played(f"{tmp_path}/data.csv") == ("a,b no rows", "SUCCEEDED")
        assert await played(f"file://{tmp_path}/data.csv") == ("a,b no rows", "CACHED")
        rows = {"uri": f"{tmp_path}/data.csv", "metadata": {"rows": 3}}
        assert await played(rows) == ("a,b 3 rows", "SUCCEEDED")
        query = select(artifacts.c.id, artifacts.c.metadata, artifacts.c.type, artifacts.c.uri)
        made = (await here.records.read(lambda c: c.execute(query).all()))[-1]
        assert made[1:] == ({"rows": 3}, "system.Dataset", f"file://{tmp_path}/data.csv")
        assert await played(made.id) == ("a,b 3 rows", "CACHED")
        message, _ = await played("f0000000-0000-0000-0000-000000000000")
        assert "there is no artifact 'f0000000" in message
        links = select(task_artifacts.c.artifact_id).where(~task_artifacts.c.output)
        assert len(set(await here.records.read(lambda c: c.execute(links).scalars().all()))) == 2


@pytest.mark.slow
async def test_an_artifact_of_another_type_is_refused(here: Here) -> None:
    make = Spec().step("make", outputs={"model": "Model"}, command=["true"])
    async with here.engine():
        await here.ended(await here.submit(make.compiled({"make": task("make")})))
        model = await here.records.read(lambda c: c.execute(select(artifacts.c.id)).scalar_one())
        refused = await here.ended(await here.submit(_reading(), given=model))
    assert "is a system.Model, and the pipeline takes a system.Dataset" in refused["status"]["message"]
