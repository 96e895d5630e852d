"""A cluster that somebody else has made and will end; KUBECONFIG names it."""

import os
import shutil
import subprocess
from pathlib import Path


class KindCluster:
    def __init__(self, name: str, image: str | None = None) -> None:
        self.name = name
        self.kubeconfig_path = Path(os.environ["KUBECONFIG"])
        self.kubectl_path = Path(shutil.which("kubectl") or "kubectl")

    def create(self) -> None:
        """It is there."""

    def delete(self) -> None:
        """It stays."""

    def load_docker_image(self, image: str) -> None:
        """Images are found by their names."""

    def kubectl(self, *arguments: str) -> str:
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig_path)}
        return subprocess.check_output([str(self.kubectl_path), *arguments], env=environment, text=True)
