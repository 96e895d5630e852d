"""The constants that programs read, with KServe's names and values."""

from __future__ import annotations

import os
from enum import Enum

KSERVE_GROUP = "serving.kserve.io"
KSERVE_V1BETA1_VERSION = "v1beta1"
KSERVE_V1ALPHA1_VERSION = "v1alpha1"
KSERVE_V1ALPHA2_VERSION = "v1alpha2"
KSERVE_V1BETA1 = f"{KSERVE_GROUP}/{KSERVE_V1BETA1_VERSION}"
KSERVE_V1ALPHA1 = f"{KSERVE_GROUP}/{KSERVE_V1ALPHA1_VERSION}"
KSERVE_KIND_INFERENCESERVICE = "InferenceService"
KSERVE_KIND_TRAINEDMODEL = "TrainedModel"
KSERVE_KIND_INFERENCEGRAPH = "InferenceGraph"
KSERVE_PLURAL_INFERENCESERVICE = "inferenceservices"
KSERVE_PLURAL_TRAINEDMODEL = "trainedmodels"
KSERVE_PLURAL_INFERENCEGRAPH = "inferencegraphs"
KSERVE_LOGLEVEL = os.environ.get("KSERVE_LOGLEVEL", "INFO").upper()
KSERVE_MODEL_SERVER_NAME = "kserve"

MODEL_MOUNT_DIRS = "/mnt/models"
EXPLAINER_BASE_URL_FORMAT = "{0}://{1}"
PREDICTOR_BASE_URL_FORMAT = "{0}://{1}"
V1_ROUTE_PREFIX = "/v1"
V2_ROUTE_PREFIX = "/v2"
DEFAULT_HTTP_PORT = 8080
DEFAULT_GRPC_PORT = 8081
MAX_GRPC_MESSAGE_LENGTH = 8 * 1024 * 1024
INFERENCE_CONTENT_LENGTH_HEADER = "inference-header-content-length"
FASTAPI_APP_IMPORT_STRING = "kserve.model_server:app"
LLM_STATS_KEY = "llm-stats"

GRPC_CONTENT_DATATYPE_MAPPINGS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


class PredictorProtocol(Enum):
    REST_V1 = "v1"
    REST_V2 = "v2"
    GRPC_V2 = "grpc-v2"


class ModelType(Enum):
    EXPLAINER = 1
    PREDICTOR = 2
