"""A session of MLServer's own types and codecs: requests that they make, and answers that they read.

Run as a program by an interpreter that has `mlserver` and pandas: `mlserver_session.py URL`. It prints a line of JSON.
"""

import json
import sys
import urllib.request

import numpy as np
import pandas as pd
from mlserver import types
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec

ROWS = np.array([[6.8, 2.8, 4.8, 1.4], [5.1, 3.5, 1.4, 0.2]])
COLUMNS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")


def main(url: str) -> None:
    def get(path: str) -> bytes:
        with urllib.request.urlopen(f"{url}{path}", timeout=60) as answer:
            return bytes(answer.read())

    def ask(request: types.InferenceRequest) -> list[int]:
        body = request.model_dump_json(exclude_none=True).encode()
        posted = urllib.request.Request(f"{url}/v2/models/m/infer", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(posted, timeout=60) as answer:
            (output,) = types.InferenceResponse.model_validate_json(answer.read()).outputs
        return NumpyCodec.decode_output(output).ravel().tolist()

    about = types.MetadataModelResponse.model_validate_json(get("/v2/models/m"))
    seen = {
        "server": types.MetadataServerResponse.model_validate_json(get("/v2")).name,
        "model": [about.name, about.versions],
        "array": ask(NumpyRequestCodec.encode_request(ROWS)),
        "frame": ask(PandasCodec.encode_request(pd.DataFrame(ROWS, columns=list(COLUMNS)))),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
