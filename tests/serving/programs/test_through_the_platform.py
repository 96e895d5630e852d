"""Users' programs as InferenceServices, from files on disk to an answer through the gateway."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fairway.cluster.api.identity.tokens import ISSUER
from fairway.cluster.network.build import NetworkConfig, build
from fairway.cluster.network.kinds import KINDS
from fairway.kernel.clock import SystemClock
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import Kind, Object
from fairway.serving.feature import FEATURE
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.llm.kinds import LLM_SERVICE
from fairway.testing.cluster import Cluster, cluster
from fairway.up.front import start
from tests.ports import free_port
from tests.serving.programs.tiny_models import tiny_llama

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KSERVE_PROGRAM = """
import argparse
import time

import kserve

class Doubles(kserve.Model):
    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    def predict(self, payload, headers=None):
        time.sleep(payload.get("sleep", 0))
        return {"predictions": [row * 2 for row in payload["instances"]]}

parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
args, _ = parser.parse_known_args()

if __name__ == "__main__":
    kserve.logging.configure_logging(args.log_config_file)
    kserve.ModelServer(workers=1).start([Doubles(args.model_name)])
"""

APPLICATION = """
import json

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError
    body = json.dumps({"path": scope["path"]}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
"""


@dataclass
class House:
    cluster: Cluster
    gateway: str
    token: str

    async def serve(self, name: str, predictor: Object) -> None:
        made = INFERENCE_SERVICE.new(name, "default", spec={"predictor": predictor})
        await self.cluster.client.create(INFERENCE_SERVICE, made)
        await self.ready(INFERENCE_SERVICE, name)

    async def ready(self, kind: Kind, name: str) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = await self.cluster.client.get(kind, name, "default")
            if conditions.is_true(found, "Ready"):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(found.get("status"))

    async def post(self, name: str, path: str, body: Any) -> tuple[int, Any]:
        url = f"{self.gateway}/serving/default/{name}{path}"
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"}) as session,
            session.post(url, json=body) as answer,
        ):
            return answer.status, await answer.json()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    async with cluster(tmp_path, node=True, features=(FEATURE,), kinds=KINDS) as here:
        port = free_port()
        config = NetworkConfig(
            "127.0.0.1", port, ("127.0.0.1", free_port()), tmp_path / "gateway", here.issuer.jwks(), ISSUER
        )
        await start((build(here.client, SystemClock(), config),), here.client, SystemClock(), here.tasks)
        token = here.issuer.mint("somebody", ("system:masters",), seconds=600)
        yield House(here, f"http://127.0.0.1:{port}", token)


async def test_a_program_written_for_kserve_is_a_container_as_it_is(house: House, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(KSERVE_PROGRAM)
    container = {
        "name": "kserve-container",
        "image": "kserve/custom-model:latest",
        "command": ["python3", str(tmp_path / "program.py")],
        "args": ["--model_name=doubles", "--enable_grpc=false"],
    }
    await house.serve("doubles", {"containers": [container]})
    path = "/v1/models/doubles:predict"
    assert await house.post("doubles", path, {"instances": [1, 2]}) == (200, {"predictions": [2, 4]})
    status, body = await house.post("doubles", path, {})
    assert (status, body["error"][:29]) == (400, 'The body has no "instances"; ')


async def test_a_folder_with_a_class_is_a_model_of_the_format_python(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "sums"
    folder.mkdir()
    (folder / "model.py").write_text("class Sums:\n    def predict(self, x):\n        return x.sum(axis=1)\n")
    await house.serve("sums", {"model": {"modelFormat": {"name": "python"}, "storageUri": f"file://{folder}"}})
    assert await house.post("sums", "/v1/models/sums:predict", {"instances": [[1, 2]]}) == (200, {"predictions": [3]})
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1.5, 2]}
    status, body = await house.post("sums", "/v2/models/sums/infer", {"inputs": [tensor]})
    assert (status, body["outputs"][0]["data"]) == (200, [3.5])


async def test_applications_and_language_models_have_paths_of_their_own(house: House, tmp_path: Path) -> None:
    openai = pytest.importorskip("openai", reason="the openai client is not installed")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "app.py").write_text(APPLICATION)
    await house.serve("app", {"model": {"modelFormat": {"name": "asgi"}, "storageUri": f"file://{tmp_path}/app"}})
    assert await house.post("app", "/anything/here", {"a": 1}) == (200, {"path": "/anything/here"})
    (tmp_path / "llm").mkdir()
    (tmp_path / "llm" / "model.py").write_text("class Echo:\n    def chat(self, messages):\n        yield from 'abc'\n")
    await house.serve("llm", {"model": {"modelFormat": {"name": "python"}, "storageUri": f"file://{tmp_path}/llm"}})

    def chat() -> list[str]:
        base = f"{house.gateway}/serving/default/llm/openai/v1"
        with openai.OpenAI(base_url=base, api_key=house.token, max_retries=0) as client:
            messages = [{"role": "user", "content": "hello"}]
            stream = client.chat.completions.create(model="llm", messages=messages, stream=True)
            return [chunk.choices[0].delta.content or "" for chunk in stream]

    assert "".join(await asyncio.to_thread(chat)) == "abc"


async def test_r_is_a_format(house: House, tmp_path: Path) -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed")
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "model.R").write_text("predict <- function(wt) wt * 2")
    await house.serve("cars", {"model": {"modelFormat": {"name": "r"}, "storageUri": f"file://{tmp_path}/r"}})
    assert await house.post("cars", "/v1/models/cars:predict", {"instances": [{"wt": 2.5}]}) == (
        200,
        {"predictions": [5.0]},
    )


@pytest.mark.filterwarnings("ignore")
async def test_a_language_model_of_the_hub_answers_openais_client(house: House, tmp_path: Path) -> None:
    openai = pytest.importorskip("openai", reason="the openai client is not installed")
    for package in ("torch", "transformers", "tokenizers"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    tiny_llama(tmp_path / "llm")
    spec = {"model": {"uri": f"file://{tmp_path}/llm", "name": "tiny"}}
    await house.cluster.client.create(LLM_SERVICE, LLM_SERVICE.new("chat", "default", spec=spec))
    await house.ready(LLM_SERVICE, "chat")

    def ask() -> tuple[str, str]:
        with openai.OpenAI(
            base_url=f"{house.gateway}/default/chat/v1", api_key=house.token, max_retries=0, timeout=60
        ) as client:
            asked = {"model": "tiny", "prompt": "the fox", "max_tokens": 8, "temperature": 0}
            whole = client.completions.create(**asked).choices[0].text
            pieces = [chunk.choices[0].text for chunk in client.completions.create(**asked, stream=True)]
            return whole, "".join(pieces)

    whole, streamed = await asyncio.to_thread(ask)
    assert whole and whole == streamed
