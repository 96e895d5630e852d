"""Which samples are not served, and in what words that is said. Every other sample must be accepted.

The words are part of the sentence that a person reads. Paths are those of upstream's repository; one may be the
beginning of several.
"""

from __future__ import annotations

from collections.abc import Mapping

_ALIBI = "spec.explainer.alibi is not supported"
_DISAGGREGATED = "spec.prefill is not supported"
_ADAPTERS = "spec.model.lora is not supported"

REFUSED: Mapping[str, str] = {
    # Upstream's own server refuses these too, or does not know them any more.
    "docs/samples/explanation/aif/germancredit/bias-v1alpha1.yaml": "v1alpha2 is not served here",
    "docs/samples/storage/pvc/mnist-pvc.yaml": "v1alpha2 is not served here",
    "docs/samples/explanation/alibi/": _ALIBI,
    "docs/samples/multimodelserving/sklearn/inferenceservice.yaml": "spec.predictor.sklearn.name must be empty",
    "docs/samples/v1beta1/torchserve/v1/bloom/bloom-560m.yaml": "spec.nodeName is not supported",
    # The transformer of the first of its three services has a field that upstream drops in silence.
    "docs/samples/rollout-strategy/rollout-strategy-example.yaml#0": "spec.transformer.custom is not supported",
    # What they name is in other files of upstream's.
    "docs/samples/fluid/fluid-isvc.yaml": "there is no runtime 'custom-kserve-huggingfaceserver' here",
    "docs/samples/llmisvc/e2e-gpt-oss/inference_default.yaml": "there is no LLMInferenceServiceConfig",
    "docs/samples/llmisvc/e2e-gpt-oss/inference_pd_disaggregation.yaml": "there is no LLMInferenceServiceConfig",
    "docs/samples/llmisvc/e2e-gpt-oss/inference_prefix_cache.yaml": "there is no LLMInferenceServiceConfig",
    # Formats and servers that are not here.
    "docs/samples/explanation/art/mnist/art.yaml": "spec.explainer.art is not supported",
    "docs/samples/v1beta1/paddle/paddle.yaml": "No runtime here loads paddle models",
    "docs/samples/storage/oci-fetch/": "oci+fetch:// is not available",
    "docs/samples/storage/oci-image-volume/": "oci+native:// is not available",
    "docs/samples/v1beta1/transformer/feast/driver_transformer_modelmesh.yaml": "ModelMesh is not supported",
    # More than one node, or another server's scheduling.
    "docs/samples/llmisvc/agentic-tool-calling/nemotron-3-ultra-pd.yaml": _DISAGGREGATED,
    "docs/samples/llmisvc/opt-125m-cpu/llm-inference-service-pd": _DISAGGREGATED,
    "docs/samples/llmisvc/single-node-gpu/llm-inference-service-pd": _DISAGGREGATED,
    "docs/samples/llmisvc/dp-ep/": "spec.worker is not supported",
    "docs/samples/llmisvc/kv-cache-offloading/": "spec.workload is not supported",
    "docs/samples/llmisvc/latency-predictor/": "spec.router.scheduler is not supported",
    "docs/samples/llmisvc/precise-prefix-kv-cache-routing/": "spec.router.scheduler is not supported",
    "docs/samples/llmisvc/lora-adapters/test-examples/01": _ADAPTERS,
    "docs/samples/llmisvc/lora-adapters/test-examples/02": _ADAPTERS,
    "docs/samples/llmisvc/lora-adapters/test-examples/04": _ADAPTERS,
    "docs/samples/llmisvc/managed-dra/llm-inference-service-managed-dra-multi": "'sidecar' is not supported",
}


def refusal(name: str) -> str:
    """The words of the longest path that the sample's name begins with; empty where it must be accepted."""
    found = [path for path in REFUSED if name.startswith(path)]
    return REFUSED[max(found, key=len)] if found else ""
