"""Real models, and the model server on a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import joblib
import numpy as np
import orjson
import pytest
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from fairway.serving.inpod import program
from fairway.serving.inpod.places import Loader

TWO_FLOWERS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]
"""KServe's own example rows; both are of class 1."""


class Slow:
    """Sleeps on the number of seconds in its first cell; what a large model looks like from outside."""

    def predict(self, rows: Any) -> Any:
        time.sleep(float(np.asarray(rows)[0][0]))
        return np.zeros(len(rows), dtype=int)


class Gated:
    """As slow as a test wants it: what is not zero in its first cell waits until there is a file."""

    def __init__(self, gate: Path) -> None:
        self.gate = gate

    def predict(self, rows: Any) -> Any:
        while np.asarray(rows)[0][0] and not self.gate.exists():
            time.sleep(0.005)
        return np.zeros(len(rows), dtype=int)


class Broken:
    def predict(self, rows: Any) -> Any:
        raise RuntimeError("out of cheese")


@dataclass
class Server:
    url: str
    session: aiohttp.ClientSession
    end: asyncio.Event
    done: asyncio.Task[None]
    address: tuple[str, int]

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"Content-Type": "application/json", **headers}
        async with self.session.post(self.url + path, data=data, headers=headers) as answer:
            return answer.status, orjson.loads(await answer.read())

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(self.url + path) as answer:
            return answer.status, orjson.loads(await answer.read())

    async def metrics(self) -> str:
        async with self.session.get(self.url + "/metrics") as page:
            return await page.text()

    async def inside(self, count: int) -> None:
        """Until so many predictions wait or are at work."""
        async with asyncio.timeout(60):
            while f"fairway_inference_requests_inside {count}\n" not in await self.metrics():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def serving(
    model: Path, *flags: str, name: str = "m", given: Mapping[str, Loader] | None = None
) -> AsyncGenerator[Server, None]:
    options = program.flags().parse_args(
        [f"--model_name={name}", f"--model_dir={model}", "--http_port=0", "--linger=0.2", *flags]
    )
    end, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    done = asyncio.create_task(program.serve(options, end, ready=lambda *where: address.set_result(where), given=given))
    await asyncio.wait((done, address), return_when=asyncio.FIRST_COMPLETED)
    if done.done():
        done.result()
    host, port = address.result()
    async with aiohttp.ClientSession() as session:
        yield Server(f"http://{host}:{port}", session, end, done, (host, port))
    end.set()
    await done


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of folders, each with one model."""
    root = tmp_path_factory.mktemp("models")
    rows, classes = load_iris(return_X_y=True)
    frame, _ = load_iris(return_X_y=True, as_frame=True)
    texts = ["the cat sat", "a dog ran", "cats purr", "dogs bark"]
    estimators = {
        "iris": LogisticRegression(max_iter=500).fit(rows, classes),
        "frame": LogisticRegression(max_iter=500).fit(frame, classes),
        "text": make_pipeline(CountVectorizer(), MultinomialNB()).fit(texts, ["cat", "dog", "cat", "dog"]),
        "slow": Slow(),
        "broken": Broken(),
    }
    for name, estimator in estimators.items():
        (root / name).mkdir()
        joblib.dump(estimator, root / name / "model.joblib")
    return root


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """What the model of `gated` waits for."""
    return tmp_path / "gate"


@pytest.fixture
def gated(tmp_path: Path, gate: Path) -> Path:
    folder = tmp_path / "gated"
    folder.mkdir()
    joblib.dump(Gated(gate), folder / "model.joblib")
    return folder


@pytest.fixture
def two_versions(tmp_path: Path, models: Path) -> tuple[Path, Path]:
    """The iris model, and one that says 7 of everything."""
    seven = tmp_path / "seven.joblib"
    joblib.dump(LogisticRegression().fit([TWO_FLOWERS[0], TWO_FLOWERS[1]], [7, 8]), seven)
    return models / "iris", seven
