"""Ray Serve: a deployment of one replica behind its own proxy. MODEL_FOLDER PORT

Its proxy is healthy before there is anything to ask, so a GET at the same path tells that the replica answers. Ray
gives a node thirty seconds to start, without a setting for it, which a busy core exceeds; here it has longer.
"""

import os
import sys
import time
from pathlib import Path

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import joblib
import numpy
import ray
from ray import serve
from ray._private import services
from starlette.requests import Request

_PATIENCE = 150.0


@serve.deployment(num_replicas=1, logging_config={"enable_access_log": False})
class Iris:
    def __init__(self, folder: str) -> None:
        self.model = joblib.load(Path(folder, "model.joblib"))

    async def __call__(self, request: Request) -> dict[str, list[int]]:
        if request.method == "GET":
            return {}
        body = await request.json()
        return {"predictions": self.model.predict(numpy.array(body["instances"])).tolist()}


def patiently(*arguments: object) -> object:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return look(*arguments)
        except RuntimeError:
            if time.monotonic() > end:
                raise


look, services.get_node = services.get_node, patiently
ray.init(num_cpus=2, include_dashboard=False, object_store_memory=10**8, _node_ip_address="127.0.0.1")
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])}, logging_config={"enable_access_log": False})
serve.run(Iris.bind(sys.argv[1]), route_prefix="/predict", blocking=True)
