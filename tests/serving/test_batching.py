"""Requests that arrive while the model is busy are predicted together, over every protocol, and spoil nothing."""

import asyncio
import time
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator

from .conftest import Server, serving

PREDICT = "/v1/models/m:predict"


class Doubling(BaseEstimator):  # type: ignore[misc]
    """Takes its time for each call, whatever the number of rows; refuses what is negative."""

    def __init__(self, seconds: float = 0.05) -> None:
        self.seconds = seconds

    def fit(self, rows: Any) -> "Doubling":
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, rows: Any) -> Any:
        time.sleep(self.seconds)
        rows = np.asarray(rows)
        if (rows < 0).any():
            raise ValueError("a negative number")
        return rows[:, 0] * 2


class Summing(Doubling):
    """Its answer cannot be cut."""

    def predict(self, rows: Any) -> Any:
        time.sleep(self.seconds)
        return np.array([np.asarray(rows).sum()])


def saved(estimator: BaseEstimator, folder: Path) -> Path:
    joblib.dump(estimator, folder / "model.joblib")
    return folder


async def many(server: Server, count: int, path: str = PREDICT) -> list[tuple[int, Any]]:
    return list(await asyncio.gather(*(server.post(path, {"instances": [[n]]}) for n in range(count))))


async def metrics(server: Server) -> str:
    async with server.session.get(server.url + "/metrics") as page:
        return await page.text()


async def test_what_piles_up_is_predicted_together_and_each_gets_its_own(tmp_path: Path) -> None:
    async with serving(saved(Doubling(), tmp_path)) as server:
        started = time.perf_counter()
        answers = await many(server, 40)
        seconds = time.perf_counter() - started
        text = await metrics(server)
    assert answers == [(200, {"predictions": [n * 2]}) for n in range(40)]
    assert seconds < 40 * 0.05 / 4, "they were predicted one by one"
    assert 'fairway_batch_requests_count{model_name="m"} 40' in text
    assert 'fairway_batch_requests_bucket{model_name="m",le="1"} 40' not in text


async def test_v2_joins_v1_where_the_rows_are_alike(tmp_path: Path) -> None:
    """And a full batch does not wait for its latency, which is longer here than the test may take."""
    tensor = {"name": "input-0", "shape": [1, 1], "datatype": "INT64", "data": [100]}
    async with serving(saved(Doubling(), tmp_path), "--max_batch_latency_ms=3600000", "--max_batch_size=4") as server:
        (first, *_), v2 = await asyncio.gather(many(server, 3), server.post("/v2/models/m/infer", {"inputs": [tensor]}))
        assert (first, v2[1]["outputs"][0]["data"]) == ((200, {"predictions": [0]}), [200])
        assert 'fairway_batch_requests_bucket{model_name="m",le="2"} 0' in await metrics(server)


async def test_a_bad_row_spoils_nothing_for_its_neighbours(tmp_path: Path) -> None:
    async with serving(saved(Doubling(0.02), tmp_path), "--max_batch_latency_ms=50") as server:
        numbers = [1, -1, 2, "text", 3, None]
        answers = await asyncio.gather(*(server.post(PREDICT, {"instances": [[n]]}) for n in numbers))
    assert [status for status, _ in answers] == [200, 400, 200, 400, 200, 400]
    assert [answer.get("predictions") for _, answer in answers][::2] == [[2], [4], [6]]
    assert "a negative number" in answers[1][1]["error"]


async def test_rows_of_another_shape_or_type_stay_apart(tmp_path: Path) -> None:
    async with serving(saved(Doubling(0.02), tmp_path), "--max_batch_latency_ms=50") as server:
        rows: list[Any] = [[1], [1, 5], [1.5], [2]]
        answers = await asyncio.gather(*(server.post(PREDICT, {"instances": [row]}) for row in rows))
    assert [answer["predictions"] for _, answer in answers] == [[2], [2], [3.0], [4]]


async def test_a_model_whose_answer_cannot_be_cut_is_asked_one_by_one(tmp_path: Path) -> None:
    async with serving(saved(Summing(0.01), tmp_path), "--max_batch_latency_ms=30") as server:
        for _ in range(2):
            assert [answer for _, answer in await many(server, 5)] == [{"predictions": [n]} for n in range(5)]


async def test_a_batch_is_bounded_in_rows_and_may_be_turned_off(tmp_path: Path) -> None:
    async with serving(saved(Doubling(0.01), tmp_path), "--max_batch_size=4", "--max_batch_latency_ms=20") as server:
        assert all(status == 200 for status, _ in await many(server, 16))
        assert 'fairway_batch_requests_bucket{model_name="m",le="4"} 16' in await metrics(server)
    async with serving(saved(Doubling(0.01), tmp_path), "--max_batch_size=1") as server:
        assert all(status == 200 for status, _ in await many(server, 8))
        assert 'fairway_batch_requests_bucket{model_name="m",le="1"} 8' in await metrics(server)


class Muttering(Doubling):
    """Fails with a text that is none, as a path may have it."""

    def predict(self, rows: Any) -> Any:
        raise RuntimeError("caf\udce9")


async def test_a_failure_whose_text_cannot_be_told_is_told_all_the_same(tmp_path: Path) -> None:
    joblib.dump(Muttering(), tmp_path / "model.joblib")
    async with serving(tmp_path) as server:
        asked = [asyncio.create_task(server.post(PREDICT, {"instances": [[n]]})) for n in range(4)]
        for status, answer in await asyncio.gather(*asked):
            assert (status, "caf?" in answer["error"]) == (500, True)
