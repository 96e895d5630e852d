import numpy as np


def predict(rows: np.ndarray) -> dict:
    return {"mean": rows.mean(axis=1), "largest": rows.max(axis=1)}
