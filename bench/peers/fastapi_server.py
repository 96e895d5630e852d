"""FastAPI and uvicorn: a model behind one path, its prediction on the event loop. MODEL_FOLDER PORT"""

import sys
from pathlib import Path

import joblib
import numpy
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

model, app = joblib.load(Path(sys.argv[1], "model.joblib")), FastAPI()


class Body(BaseModel):
    instances: list[list[float]]


@app.post("/predict")
async def predict(body: Body) -> dict[str, list[int]]:
    return {"predictions": model.predict(numpy.array(body.instances)).tolist()}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_level="warning")
