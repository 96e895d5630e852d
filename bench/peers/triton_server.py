"""Triton, of the wheel nvidia-pytriton, with its Python backend. FOLDER PORT [GRPC_PORT]

FOLDER is a repository of Triton's, or holds a `model.joblib`, for which one is made. The wheel is for the interpreter
that libpython on the loader's path belongs to, which is mostly the system's own.
"""

import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

_PROGRAM = """
import joblib, numpy
import triton_python_backend_utils as triton

class TritonPythonModel:
    def initialize(self, arguments):
        self.model = joblib.load({path!r})

    def execute(self, requests):
        return [triton.InferenceResponse([self._predicted(request)]) for request in requests]

    def _predicted(self, request):
        rows = triton.get_input_tensor_by_name(request, "input-0").as_numpy()
        return triton.Tensor("output-0", self.model.predict(rows).astype(numpy.int64))
"""
_CONFIG = """
name: "iris"
backend: "python"
input [ {{ name: "input-0" data_type: TYPE_FP32 dims: [ -1, {width} ] }} ]
output [ {{ name: "output-0" data_type: TYPE_INT64 dims: [ -1 ] }} ]
"""


def main(folder: Path, http: int, grpc: int) -> None:
    package = Path(next(iter(find_spec("pytriton").submodule_search_locations)))
    place = Path(tempfile.mkdtemp(prefix="triton-"))
    backend = place / "backends/python"
    shutil.copytree(package / "tritonserver/backends/python", backend)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = package / "tritonserver/python_backend_stubs" / version / "triton_python_backend_stub"
    (backend / stub.name).unlink(missing_ok=True)
    shutil.copy(stub, backend)
    model = folder / "model.joblib"
    repository = _repository(place / "models", model) if model.exists() else folder
    command = [
        str(package / "tritonserver/bin/tritonserver"), f"--model-repository={repository}",
        f"--backend-directory={place / 'backends'}", "--disable-auto-complete-config", "--allow-metrics=false",
        "--model-control-mode=explicit", "--load-model=*", "--exit-timeout-secs=5", "--log-error=true",
        "--http-address=127.0.0.1", f"--http-port={http}", "--grpc-address=127.0.0.1", f"--grpc-port={grpc}",
    ]  # fmt: skip
    libraries = package.with_name("nvidia_pytriton.libs")
    paths = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    more = {"LD_LIBRARY_PATH": str(libraries), "PYTHONPATH": str(package.parent), "PATH": paths}
    os.execve(command[0], command, {**os.environ, **more})


def _repository(place: Path, model: Path) -> Path:
    import joblib

    folder = place / "iris/1"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(_PROGRAM.format(path=str(model)))
    width = joblib.load(model).n_features_in_
    (folder.parent / "config.pbtxt").write_text(_CONFIG.format(width=width))
    return place


if __name__ == "__main__":
    port = int(sys.argv[2])
    main(Path(sys.argv[1]).absolute(), port, int(sys.argv[3]) if len(sys.argv) > 3 else port + 1)
