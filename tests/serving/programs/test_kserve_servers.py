"""Whole programs of KServe's as processes of their own: ModelServer, its flags, a transformer before a predictor."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from fairway.serving.inpod.programs import SITE
from tests.ports import free_port

pytestmark = pytest.mark.slow

Start = Callable[..., "Program"]

PREDICTOR = """
import os
import time
import kserve
from kserve.utils.utils import get_predict_input, get_predict_response

class Doubles(kserve.Model):
    def load(self):
        self.ready = True

    async def predict(self, payload, headers=None):
        if isinstance(payload, dict) and "until" in payload:
            open(payload["begun"], "w").close()
            while not os.path.exists(payload["until"]):
                time.sleep(0.01)
            return {}
        return get_predict_response(payload, get_predict_input(payload) * 2, self.name)

if __name__ == "__main__":
    model = Doubles("doubles")
    model.load()
    kserve.ModelServer().start([model])
"""

TRANSFORMER = """
import argparse
import numpy as np
from kserve import InferInput, InferRequest, Model, ModelServer, model_server

class Adds(Model):
    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    def preprocess(self, payload, headers=None):
        rows = np.array(payload["instances"], dtype=np.float64) + 1
        if self.predictor_config.predictor_protocol == "v1":
            return {"instances": rows.tolist()}
        tensor = InferInput("x", list(rows.shape), "FP64", rows)
        return InferRequest(model_name=self.name, infer_inputs=[tensor])

    def postprocess(self, result, headers=None):
        return result if isinstance(result, dict) else {"predictions": result.outputs[0].as_numpy().tolist()}

parser = argparse.ArgumentParser(parents=[model_server.parser])
args, _ = parser.parse_known_args()
if __name__ == "__main__":
    ModelServer().start([Adds("doubles")])
"""


class Program:
    def __init__(self, file: Path, port: int, *arguments: str) -> None:
        self.port, self.address = port, f"http://127.0.0.1:{port}"
        paths = os.pathsep.join(filter(None, (str(SITE), os.environ.get("PYTHONPATH"))))
        self.process = subprocess.Popen(
            [sys.executable, str(file), f"--http_port={port}", *arguments],
            env={**os.environ, "PYTHONPATH": paths, "FAIRWAY_KSERVE": "own", "FAIRWAY_POD_IP": "127.0.0.1"},
            stderr=subprocess.PIPE,
            text=True,
        )

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        return self._asked(urllib.request.Request(self.address + path, json.dumps(body).encode()))

    def get(self, path: str) -> tuple[int, Any]:
        return self._asked(urllib.request.Request(self.address + path))

    def _asked(self, request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/v2/health/ready", timeout=20) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def wait(self) -> None:
        end = time.monotonic() + 60
        while not self.ready():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Program] = []

    def run(text: str, *arguments: str) -> Program:
        port = free_port()
        file = tmp_path / f"program{len(started)}.py"
        file.write_text(dedent(text))
        started.append(Program(file, port, *arguments))
        return started[-1]

    yield run
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()
        assert program.process.stderr
        program.process.stderr.close()


async def test_a_program_is_served_and_drains(start: Start, tmp_path: Path) -> None:
    program = start(PREDICTOR, "--enable_grpc=false")
    program.wait()
    assert program.post("/v1/models/doubles:predict", {"instances": [[1, 2]]}) == (200, {"predictions": [[2, 4]]})
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    body = {"begun": str(begun), "until": str(gate)}
    slow = asyncio.create_task(asyncio.to_thread(program.post, "/v1/models/doubles:predict", body))
    async with asyncio.timeout(60):
        while not begun.exists():
            await asyncio.sleep(0.01)
    assert await asyncio.to_thread(program.ready)  # a predict that blocks keeps nobody from answering health
    program.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        while await asyncio.to_thread(program.ready):
            await asyncio.sleep(0.01)
    assert not slow.done()
    gate.touch()
    assert await slow == (200, {})
    assert await asyncio.to_thread(program.process.wait, 60) == 0


@pytest.mark.parametrize("protocol", ["v1", "v2", "grpc-v2"])
def test_a_transformer_stands_before_its_predictor(start: Start, protocol: str) -> None:
    pytest.importorskip("httpx", reason="httpx is not installed")
    grpc_port = free_port()
    grpc = protocol == "grpc-v2"
    if grpc:
        pytest.importorskip("grpc", reason="grpcio is not installed")
    predictor = start(PREDICTOR, f"--enable_grpc={grpc}", f"--grpc_port={grpc_port}")
    host = f"127.0.0.1:{grpc_port if grpc else predictor.port}"
    transformer = start(
        TRANSFORMER, f"--predictor_host={host}", f"--predictor_protocol={protocol}", "--enable_grpc=false"
    )
    predictor.wait()
    transformer.wait()
    answer = transformer.post("/v1/models/doubles:predict", {"instances": [[1, 2]]})
    assert answer == (200, {"predictions": [[4.0, 6.0]]})
    if not grpc:
        predictor.process.kill()
        predictor.process.wait()
        status, body = transformer.post("/v1/models/doubles:predict", {"instances": [[1, 2]]})
        assert (status, "ConnectError" in body["error"]) == (500, True)


@pytest.mark.parametrize("protocol", ["v1", "v2", "grpc-v2"])
def test_a_transformer_that_looks_after_its_predictor_is_ready_while_it_is(start: Start, protocol: str) -> None:
    pytest.importorskip("httpx", reason="httpx is not installed")
    pytest.importorskip("grpc", reason="grpcio is not installed")
    grpc_port = free_port()
    grpc = protocol == "grpc-v2"
    predictor = start(PREDICTOR, f"--enable_grpc={grpc}", f"--grpc_port={grpc_port}")
    host = f"127.0.0.1:{grpc_port if grpc else predictor.port}"
    told = (f"--predictor_host={host}", f"--predictor_protocol={protocol}", "--enable_grpc=false")
    transformer = start(TRANSFORMER, *told, "--enable_predictor_health_check")
    transformer.wait()  # only once its predictor is there
    assert predictor.ready()
    predictor.process.kill()
    predictor.process.wait()
    assert transformer.get("/v2/health/ready")[0] == 503
    status, body = transformer.get("/v1/models/doubles")
    assert (status, "doubles depends on" in body["error"]) == (503, True)
    assert transformer.get("/v2/health/live")[0] == 200


def test_workers_are_processes(start: Start) -> None:
    program = start(
        """
        import os
        import kserve

        class Who(kserve.Model):
            async def predict(self, payload, headers=None):
                return {"predictions": [os.getpid()]}

        model = Who("who")
        model.load()
        kserve.ModelServer().start([model])
        """,
        "--enable_grpc=false",
        "--workers=2",
    )
    program.wait()
    found = {program.post("/v1/models/who:predict", {"instances": [1]})[1]["predictions"][0] for _ in range(30)}
    assert program.process.pid not in found


def test_a_program_s_own_repository_brings_models_and_takes_them_back(start: Start) -> None:
    program = start(
        """
        import kserve

        class Says(kserve.Model):
            async def predict(self, payload, headers=None):
                return {"predictions": [self.name]}

        class Shelf(kserve.ModelRepository):
            async def load(self, name):
                if name == "broken":
                    raise RuntimeError("it fell")
                if name == "absent":
                    return False
                model = Says(name)
                self.update(model)
                return model.load()

        model = Says("first")
        model.load()
        kserve.ModelServer(registered_models=Shelf()).start([model])
        """,
        "--enable_grpc=false",
    )
    program.wait()
    assert program.post("/v1/models/second:predict", {"instances": [1]})[0] == 404
    assert program.post("/v2/repository/models/second/load", {})[0] == 200
    for name in ("first", "second"):
        assert program.post(f"/v1/models/{name}:predict", {"instances": [1]}) == (200, {"predictions": [name]})
    for name, says in (("broken", "it fell"), ("absent", "has no model absent that is ready")):
        status, body = program.post(f"/v2/repository/models/{name}/load", {})
        assert (status, says in body["error"]) == (400, True)
    assert program.post("/v2/repository/models/second/unload", {})[0] == 200
    assert program.post("/v1/models/second:predict", {"instances": [1]})[0] == 503
    assert program.post("/v2/repository/models/first/load", {})[0] == 200
    assert program.post("/v1/models/first:predict", {"instances": [1]})[0] == 200


def test_a_server_without_a_ready_model_ends(start: Start) -> None:
    program = start("""
    import kserve
    kserve.ModelServer(enable_grpc=False).start([kserve.Model("never")])
    """)
    assert program.process.wait(30) == 1
    assert "Models with name never are not ready" in program.process.communicate()[1]


def test_middleware_that_would_be_left_out_is_refused(start: Start) -> None:
    program = start("""
    import kserve
    from kserve.model_server import app

    class Login: pass

    app.add_middleware(Login)
    model = kserve.Model("m")
    model.load()
    kserve.ModelServer(enable_grpc=False).start([model])
    """)
    assert program.process.wait(30) == 1
    assert "Middleware does not see requests here, and Login would be left out" in program.process.communicate()[1]
