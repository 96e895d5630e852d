"""The V1 protocol as its clients speak it."""

from pathlib import Path

import pytest

from fairway.serving.inpod.messages import MOST_JSON, Refusal, decode

from .conftest import TWO_FLOWERS, serving


async def test_rows_become_predictions(models: Path) -> None:
    async with serving(models / "iris") as server:
        assert await server.post("/v1/models/m:predict", {"instances": TWO_FLOWERS}) == (200, {"predictions": [1, 1]})
        assert await server.post("/v1/models/m:predict", {"inputs": TWO_FLOWERS}) == (200, {"predictions": [1, 1]})
        assert await server.get("/v1/models/m") == (200, {"name": "m", "ready": True})
        assert await server.get("/v1/models") == (200, {"models": ["m"]})
        assert await server.get("/") == (200, {"status": "alive"})


async def test_rows_with_names_go_to_the_columns_of_the_model(models: Path) -> None:
    names = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
    rows = [dict(zip(reversed(names), reversed(row), strict=True)) for row in TWO_FLOWERS]
    async with serving(models / "frame") as server:
        assert await server.post("/v1/models/m:predict", {"instances": rows}) == (200, {"predictions": [1, 1]})
        assert (await server.post("/v1/models/m:predict", {"instances": TWO_FLOWERS}))[0] == 200
        for row in rows:
            del row[names[2]]
        status, answer = await server.post("/v1/models/m:predict", {"instances": rows})
    assert status == 400
    assert names[2] in answer["error"]


async def test_text_is_classified(models: Path) -> None:
    async with serving(models / "text") as server:
        answer = await server.post("/v1/models/m:predict", {"instances": ["my cats", "barking dogs"]})
    assert answer == (200, {"predictions": ["cat", "dog"]})


async def test_a_client_s_mistake_is_a_400_in_the_protocol_s_shape(models: Path) -> None:
    async with serving(models / "iris") as server:
        for body, says in (
            (b"", "no body"),
            (b"{", "not JSON"),
            (b"[1]", "not an object"),
            ({}, "instances"),
            ({"instances": []}, "at least one row"),
            ({"instances": [[1, 2]]}, "expecting 4 features"),
            ({"instances": [[1, 2, 3, 4], [1]]}, "different lengths"),
            ({"instances": [["a", 2, 3, 4]]}, "could not convert"),
            ({"instances": [[None, 2, 3, 4]]}, "NaN"),
        ):
            status, answer = await server.post("/v1/models/m:predict", body)
            assert (status, list(answer)) == (400, ["error"])
            assert says in answer["error"], answer


def test_json_that_would_hold_everybody_up_is_not_read() -> None:
    with pytest.raises(Refusal, match="fewer rows at a time, or V2's binary tensors") as refused:
        decode(bytes(MOST_JSON + 1))
    assert refused.value.status == 413


async def test_a_failing_model_is_a_500_with_its_reason(models: Path) -> None:
    async with serving(models / "broken") as server:
        status, answer = await server.post("/v1/models/m:predict", {"instances": [[1]]})
    assert status == 500
    assert "RuntimeError: out of cheese" in answer["error"]


async def test_other_models_and_paths_are_404_and_other_methods_405(models: Path) -> None:
    async with serving(models / "iris") as server:
        status, answer = await server.post("/v1/models/other:predict", {"instances": TWO_FLOWERS})
        assert (status, answer) == (404, {"error": "Model 'other' is not here; this server has 'm'."})
        assert (await server.get("/v1/models/other"))[0] == 404
        assert (await server.get("/nothing"))[0] == 404
        assert (await server.get("/v1/models/m:predict"))[0] == 405
        assert (await server.post("/v1/models/m:explain", {}))[0] == 501
