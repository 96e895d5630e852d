"""What one iris prediction costs through the gateway and direct, beside FastAPI and the bare model, and how many fit.

The FastAPI reference runs where `fastapi` and `uvicorn` are installed (pip install fastapi 'uvicorn[standard]');
without them the bare model in a loop is the only reference.
"""

import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from bench import load
from bench.load import Load
from bench.measuring import Row, milliseconds, quantile
from bench.platform import Platform, free_port
from fairway.serving import sdk

ROW = [[6.8, 2.8, 4.8, 1.4]]
_SECONDS, _CLIENTS = 4.0, 8
_BODY = b'{"instances":[[6.8,2.8,4.8,1.4]]}'

_FASTAPI = """
import sys, joblib, numpy, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

model, app = joblib.load(sys.argv[1]), FastAPI()

class Body(BaseModel):
    instances: list[list[float]]

@app.post("/predict")
async def predict(body: Body):
    return {"predictions": model.predict(numpy.array(body.instances)).tolist()}

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_level="warning")
"""


def measure(platform: Platform) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.joblib"
        joblib.dump(LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True)), path)
        bare = _bare(path)
        served = _served(platform, path)
        with _server([sys.executable, "-m", "fairway.serving.inpod", "--model_name=iris"], path) as port:
            direct = _loads(port, "/v1/models/iris:predict")
        fastapi = _fastapi(path)
    return [*_rows("through the gateway", served, fastapi, bare), *_rows("direct to its server", direct, fastapi, bare)]


def _rows(how: str, ours: tuple[Load, Load], reference: tuple[Load, Load] | None, bare: float) -> list[Row]:
    one, many = ours
    if reference is None:
        median, rate = bare, 1 / bare
        name = "the bare model (FastAPI is not installed)"
    else:
        median, rate = reference[0].median, reference[1].rate
        name = "FastAPI and uvicorn direct"
    return [
        Row(
            f"an iris prediction {how}, median",
            milliseconds(one.median),
            "FastAPI direct + 0.5 ms" if "gateway" in how else "FastAPI direct",
            f"{milliseconds(median)}: {name}",
            one.median / median,
        ),
        Row(
            f"iris predictions {how}, {_CLIENTS} clients",
            f"{many.rate:.0f}/s",
            "",
            f"{rate:.0f}/s: {name}",
            many.rate / rate,
        ),
    ]


def _bare(path: Path) -> float:
    model, times = joblib.load(path), []
    for _ in range(2000):
        begin = time.perf_counter()
        model.predict(np.array(ROW))
        times.append(time.perf_counter() - begin)
    return quantile(times, 0.5)


def _served(platform: Platform, path: Path) -> tuple[Load, Load]:
    server = platform.server
    service = sdk.deploy("iris", path, kubeconfig_file=server.kubeconfig)
    deadline = time.monotonic() + 10
    while True:  # the gateway learns of a route a moment after it accepted it
        try:
            service.predict(ROW)
            break
        except sdk.ServingError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    port = int(service.url.split(":")[2].split("/")[0])
    prefix = service.url.partition(f":{port}")[2]
    return _loads(port, f"{prefix}/v1/models/iris:predict", service.token)


def _fastapi(path: Path) -> tuple[Load, Load] | None:
    if not (importlib.util.find_spec("fastapi") and importlib.util.find_spec("uvicorn")):
        return None
    with _server([sys.executable, "-c", _FASTAPI], path, flags=False) as port:
        return _loads(port, "/predict")


@contextmanager
def _server(command: list[str], model: Path, *, flags: bool = True) -> Iterator[int]:
    port = free_port()
    rest = [f"--model_dir={model}", f"--http_port={port}"] if flags else [str(model), str(port)]
    with subprocess.Popen([*command, *rest], stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            path = "/v1/models/iris:predict" if flags else "/predict"
            while not _answers(port, path):
                assert time.monotonic() < deadline and process.poll() is None, f"{command[:3]} does not answer"
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()


def _answers(port: int, path: str) -> bool:
    try:
        return load.closed(port, load.request(path, _BODY), clients=1, seconds=0.05).rate > 0
    except OSError:
        return False


def _loads(port: int, path: str, token: str = "") -> tuple[Load, Load]:
    """By one client, and by several."""
    message = load.request(path, _BODY, *([f"Authorization: Bearer {token}"] if token else []))
    load.closed(port, message, clients=1, seconds=1)
    one = load.closed(port, message, clients=1, seconds=_SECONDS)
    many = load.closed(port, message, clients=_CLIENTS, seconds=_SECONDS)
    if one.errors or many.errors:
        raise OSError(f"{one.errors + many.errors} requests were not answered with 200")
    return one, many
