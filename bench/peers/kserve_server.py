"""KServe's own Python server: a Model with its helpers for both protocols. MODEL_FOLDER PORT

The same model stands for each name in BENCH_MODELS.
"""

import os
import sys
from pathlib import Path

FOLDER, PORT = sys.argv[1], int(sys.argv[2])
sys.argv[1:] = [f"--http_port={PORT}", f"--grpc_port={PORT + 1}", "--enable_latency_logging=false"]

import joblib  # noqa: E402 - kserve reads the command line when it is imported
import kserve  # noqa: E402
from kserve.protocol.rest.server import RESTServer  # noqa: E402
from kserve.utils.utils import get_predict_input, get_predict_response  # noqa: E402


class Iris(kserve.Model):
    def load(self) -> bool:
        self.model = joblib.load(Path(FOLDER, "model.joblib"))
        self.ready = True
        return True

    def predict(self, payload: object, headers: object = None) -> object:
        result = self.model.predict(get_predict_input(payload))
        return get_predict_response(payload, result, self.name)


made = RESTServer.__init__


def on_loopback(self: RESTServer, *args: object, **more: object) -> None:
    made(self, *args, **more)
    self.config.host = "127.0.0.1"


RESTServer.__init__ = on_loopback
models = [Iris(name) for name in os.environ.get("BENCH_MODELS", "iris").split(",")]
for model in models:
    model.load()
kserve.ModelServer(http_port=PORT, grpc_port=PORT + 1).start(models)
