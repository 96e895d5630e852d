"""MLServer with its scikit-learn runtime, in one process. MODEL_FOLDER PORT

The same model stands for each name in BENCH_MODELS.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

folder, port = sys.argv[1], int(sys.argv[2])
with tempfile.TemporaryDirectory() as place:
    settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2,
                "parallel_workers": 0, "debug": False}  # fmt: skip
    Path(place, "settings.json").write_text(json.dumps(settings))
    for name in os.environ.get("BENCH_MODELS", "iris").split(","):
        model = {"name": name, "implementation": "mlserver_sklearn.SKLearnModel",
                 "parameters": {"uri": str(Path(folder, "model.joblib"))}}  # fmt: skip
        Path(place, name).mkdir()
        Path(place, name, "model-settings.json").write_text(json.dumps(model))
    command = Path(sys.executable).with_name("mlserver")
    os.execv(str(command), [str(command), "start", place])
