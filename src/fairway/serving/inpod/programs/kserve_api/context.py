"""Which predictor a transformer stands before: one for the process, as KServe has it (`kserve.context`)."""

from __future__ import annotations

from typing import ClassVar

from fairway.serving.inpod.programs.kserve_api.predictor import PredictorConfig


class _Process:
    """KServe's interface hands a process' one predictor to its models through the process, not through arguments."""

    predictor: ClassVar[PredictorConfig | None] = None


def set_predictor_config(config: PredictorConfig | None) -> None:
    _Process.predictor = config


def get_predictor_config() -> PredictorConfig | None:
    return _Process.predictor
