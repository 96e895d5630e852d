"""PredictorConfig: where the predictor of a transformer is, and how to speak with it."""

from __future__ import annotations

from dataclasses import dataclass

from fairway.serving.inpod.programs.kserve_api.constants import PREDICTOR_BASE_URL_FORMAT, PredictorProtocol


@dataclass(frozen=True)
class PredictorConfig:
    predictor_host: str
    predictor_protocol: str = PredictorProtocol.REST_V1.value
    predictor_use_ssl: bool = False
    predictor_request_timeout_seconds: int = 600
    predictor_request_retries: int = 0
    predictor_health_check: bool = False

    @property
    def predictor_base_url(self) -> str:
        return PREDICTOR_BASE_URL_FORMAT.format("https" if self.use_ssl else "http", self.predictor_host)

    @property
    def protocol(self) -> str:
        return self.predictor_protocol

    @property
    def timeout(self) -> int:
        return self.predictor_request_timeout_seconds

    @property
    def retries(self) -> int:
        return self.predictor_request_retries

    @property
    def use_ssl(self) -> bool:
        return self.predictor_use_ssl
