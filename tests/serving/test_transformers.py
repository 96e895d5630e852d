"""A transformer before the model and an explainer beside it, as processes behind the gateway."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from fairway.kernel.objects import conditions
from fairway.serving.kinds import INFERENCE_SERVICE

from .conftest import TWO_FLOWERS
from .test_through_the_gateway import House, house

__all__ = ["house"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DOUBLING = """
import argparse, json, os, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
for name in ("--model_name", "--predictor_host", "--http_port"):
    parser.add_argument(name)
options = parser.parse_args()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith(":explain"):
            answer = {"explanation": "it is a flower"}
        else:
            url = f"http://{options.predictor_host}/v1/models/{options.model_name}:predict"
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request) as reply:
                answer = {"predictions": [2 * one for one in json.load(reply)["predictions"]]}
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass

ThreadingHTTPServer((os.environ["POD_IP"], int(options.http_port)), Handler).serve_forever()
"""


def own() -> dict[str, Any]:
    return {"containers": [{"image": "python:3.12", "command": ["python3", "-c", DOUBLING]}]}


async def test_requests_go_through_the_transformer_and_explanations_to_the_explainer(house: House, models: Any) -> None:
    spec = {
        "predictor": {"sklearn": {"storageUri": str(models / "iris")}},
        "transformer": own(),
        "explainer": own(),
    }
    client = house.cluster.client
    await client.create(INFERENCE_SERVICE, INFERENCE_SERVICE.new("iris", "default", spec=spec))
    found = await client.wait(
        INFERENCE_SERVICE, "iris", "default", lambda obj: conditions.is_true(obj or {}, "Ready"), timeout=60
    )
    assert found is not None
    assert conditions.is_true(found, "TransformerReady")
    assert conditions.is_true(found, "ExplainerReady")
    predict, explain = "/v1/models/iris:predict", "/v1/models/iris:explain"
    by_path, host = f"{house.gateway}/serving/default/iris", "iris-default.example.com"
    async with house.session() as session:
        assert await asked(session, by_path + predict) == {"predictions": [2, 2]}
        assert await asked(session, house.gateway + predict, Host=host) == {"predictions": [2, 2]}
        assert await asked(session, by_path + explain) == {"explanation": "it is a flower"}
        assert await asked(session, house.gateway + explain, Host=host) == {"explanation": "it is a flower"}
        alone = await asked(session, house.gateway + predict, Host="iris-predictor-default.example.com")
        assert alone == {"predictions": [1, 1]}


async def test_a_transformer_beside_the_model_takes_its_requests(house: House, models: Any) -> None:
    beside = {
        "name": "transformer-container",
        "image": "python:3.12",
        "command": ["python3", "-c", DOUBLING],
        "args": ["--model_name=iris", "--predictor_host=localhost:8085", "--http_port=8080"],
        "ports": [{"containerPort": 8080}],
    }
    model = {
        "modelFormat": {"name": "sklearn"},
        "storageUri": str(models / "iris"),
        "args": ["--http_port=8085"],
        "ports": [{"containerPort": 8085}],
    }
    spec = {"predictor": {"model": model, "containers": [beside]}}
    client = house.cluster.client
    await client.create(INFERENCE_SERVICE, INFERENCE_SERVICE.new("iris", "default", spec=spec))
    await client.wait(
        INFERENCE_SERVICE, "iris", "default", lambda obj: conditions.is_true(obj or {}, "Ready"), timeout=60
    )
    async with house.session() as session:
        answer = await asked(session, f"{house.gateway}/serving/default/iris/v1/models/iris:predict")
        assert answer == {"predictions": [2, 2]}


async def asked(session: aiohttp.ClientSession, url: str, **headers: str) -> Any:
    """The gateway learns of a route a moment after it accepted it."""
    async with asyncio.timeout(60):
        while True:
            async with session.post(url, json={"instances": TWO_FLOWERS}, headers=headers) as answer:
                if answer.status == 200:
                    return await answer.json(content_type=None)
            await asyncio.sleep(0.05)
