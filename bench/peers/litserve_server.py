"""LitServe: its LitAPI on the CPU, one worker. MODEL_FOLDER PORT"""

import sys
from pathlib import Path

import joblib
import litserve
import numpy


class Iris(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = joblib.load(Path(sys.argv[1], "model.joblib"))

    def decode_request(self, request: dict[str, list[list[float]]]) -> numpy.ndarray:
        return numpy.array(request["instances"])

    def predict(self, rows: numpy.ndarray) -> numpy.ndarray:
        return self.model.predict(rows)

    def encode_response(self, output: numpy.ndarray) -> dict[str, list[int]]:
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Iris(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
