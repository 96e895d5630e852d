"""ModelRepository: the models of a process by name; programs override `load` to bring models by themselves."""

from __future__ import annotations

import os
from typing import Any

from fairway.serving.inpod.programs.kserve_api.constants import MODEL_MOUNT_DIRS
from fairway.serving.inpod.programs.kserve_api.errors import ModelNotFound, ModelNotReady


class ModelRepository:
    def __init__(self, models_dir: str = MODEL_MOUNT_DIRS) -> None:
        self.models: dict[str, Any] = {}
        self.models_dir = models_dir

    def load_models(self) -> None:
        """Each folder beneath the models' folder is a model."""
        for name in sorted(os.listdir(self.models_dir)):
            if os.path.isdir(os.path.join(self.models_dir, name)):
                self.load_model(name)

    def set_models_dir(self, models_dir: str) -> None:
        self.models_dir = models_dir

    def get_model(self, name: str) -> Any | None:
        return self.models.get(name)

    def get_models(self) -> dict[str, Any]:
        return self.models

    async def is_model_ready(self, name: str) -> bool:
        model = self.get_model(name)
        return model is not None and bool(await model.healthy())

    def update(self, model: Any, name: str | None = None) -> None:
        self.models[name or model.name] = model

    def load(self, name: str) -> Any:
        """May be overridden, also by a coroutine; says whether the model is ready."""
        return self.load_model(name)

    def load_model(self, name: str) -> bool:
        """May be overridden. Without that, a model that is here already is loaded again."""
        model = self.models.get(name)
        if model is None:
            return False
        model.load()
        return bool(model.ready)

    def unload(self, name: str) -> None:
        """Raises KeyError where it has no such model."""
        if name not in self.models:
            raise KeyError(f"model {name} does not exist")
        model = self.models.pop(name)
        model.stop()
        if getattr(model, "engine", False):
            model.stop_engine()


class ModelRepositoryExtension:
    """Loading and unloading by name, as the V2 protocol asks for it."""

    def __init__(self, model_registry: ModelRepository) -> None:
        self._model_registry = model_registry

    async def index(self, filter_ready: bool | None = False) -> list[dict[str, str]]:
        found = []
        for name, model in self._model_registry.get_models().items():
            ready = await self._model_registry.is_model_ready(name)
            if ready or not filter_ready:
                state = "Ready" if ready else "NotReady"
                found.append({"name": getattr(model, "name", name), "state": state, "reason": ""})
        return found

    async def load(self, model_name: str) -> None:
        try:
            ready = self._model_registry.load(model_name)
            if hasattr(ready, "__await__"):
                ready = await ready
        except Exception as broken:
            raise ModelNotReady(model_name, f"Error type: {type(broken)} error msg: {broken}") from broken
        if not ready or not await self._model_registry.is_model_ready(model_name):
            raise ModelNotReady(model_name)

    async def unload(self, model_name: str) -> None:
        try:
            self._model_registry.unload(model_name)
        except KeyError:
            raise ModelNotFound(model_name) from None
