"""BentoML: a service class with one worker. MODEL_FOLDER PORT"""

import os
import sys
from pathlib import Path

import bentoml
import joblib
import numpy

FOLDER = "BENCH_MODEL_FOLDER"


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Iris:
    def __init__(self) -> None:
        self.model = joblib.load(Path(os.environ[FOLDER], "model.joblib"))

    @bentoml.api
    def predict(self, instances: list[list[float]]) -> list[int]:
        return self.model.predict(numpy.array(instances)).tolist()


if __name__ == "__main__":
    program = Path(sys.executable).with_name("bentoml")
    here = Path(__file__)
    command = [
        "serve",
        f"{here.stem}:Iris",
        "--working-dir",
        str(here.parent),
        "--host",
        "127.0.0.1",
        "--port",
        sys.argv[2],
    ]
    told = {FOLDER: sys.argv[1], "BENTOML_DO_NOT_TRACK": "True"}
    os.execve(program, [str(program), *command], {**os.environ, **told})
