"""Loggers by KServe's names, and `configure_logging` (`kserve.logging`): everything goes to standard error."""

from __future__ import annotations

import json
import logging
import logging.config
from pathlib import Path
from typing import Any

from fairway.serving.inpod.programs.kserve_api.constants import KSERVE_LOGLEVEL

KSERVE_LOGGER_NAME = "kserve"
KSERVE_TRACE_LOGGER_NAME = "kserve.trace"
KSERVE_LOGGER_FORMAT = (
    "%(asctime)s.%(msecs)03d %(process)s %(name)s %(levelname)s [%(filename)s:%(funcName)s():%(lineno)s] %(message)s"
)
KSERVE_TRACE_LOGGER_FORMAT = "%(asctime)s.%(msecs)03d %(process)s %(name)s %(message)s"
KSERVE_LOGGER_DATE_FORMAT = "%Y-%m-%d %H:%M:%S"

logger = logging.getLogger(KSERVE_LOGGER_NAME)
trace_logger = logging.getLogger(KSERVE_TRACE_LOGGER_NAME)


def _shaped(form: str) -> dict[str, str]:
    return {"()": "logging.Formatter", "fmt": form, "datefmt": KSERVE_LOGGER_DATE_FORMAT}


KSERVE_LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"kserve": _shaped(KSERVE_LOGGER_FORMAT), "kserve_trace": _shaped(KSERVE_TRACE_LOGGER_FORMAT)},
    "handlers": {
        "kserve": {"class": "logging.StreamHandler", "formatter": "kserve"},
        "kserve_trace": {"class": "logging.StreamHandler", "formatter": "kserve_trace"},
    },
    "loggers": {
        KSERVE_LOGGER_NAME: {"handlers": ["kserve"], "level": KSERVE_LOGLEVEL, "propagate": False},
        KSERVE_TRACE_LOGGER_NAME: {"handlers": ["kserve_trace"], "level": KSERVE_LOGLEVEL, "propagate": False},
    },
}


def configure_logging(log_config: dict[str, Any] | str | None = None) -> None:
    """From a dictionary, a JSON or YAML file, or a file in logging's own form. Without one KServe's way, unless the
    program has set up logging already."""
    if log_config is None:
        if not logger.hasHandlers():
            logging.config.dictConfig(KSERVE_LOG_CONFIG)
    elif isinstance(log_config, dict):
        logging.config.dictConfig(log_config)
    elif log_config.endswith(".json"):
        logging.config.dictConfig(json.loads(Path(log_config).read_text()))
    elif log_config.endswith((".yaml", ".yml")):
        import yaml  # noqa: PLC0415  optional

        logging.config.dictConfig(yaml.safe_load(Path(log_config).read_text()))
    else:
        logging.config.fileConfig(log_config, disable_existing_loggers=False)
