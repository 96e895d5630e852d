// What a service says of itself, in the words of the pages: its format, its place, its scale, its traffic, its trouble.

import type { InferenceService, Pod, Predictor } from "./api/kubernetes";

const FRAMEWORKS = ["sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle"] as const;

/** Formats whose files may be pickles, which run code when they are loaded. */
const RUNS_CODE = new Set(["sklearn", "pytorch", "mlflow"]);

export interface Model {
  format: string;
  place: string;
  protocol: string;
  note: string;
}

export function modelOf(service: InferenceService): Model {
  const predictor = service.spec.predictor ?? {};
  const framework = FRAMEWORKS.find((name) => predictor[name] !== undefined);
  const block = predictor.model ?? (framework ? predictor[framework] : undefined);
  const format = predictor.model?.modelFormat?.name ?? framework ?? (predictor.containers?.length ? "own containers" : "");
  const places = predictor.storageUris?.map((one) => one.uri).join(", ");
  return {
    format,
    place: block?.storageUri ?? places ?? (block?.storage?.path ? `${block.storage.path} (storage ${block.storage.key ?? "default"})` : ""),
    protocol: block?.protocolVersion ?? "",
    note: RUNS_CODE.has(format) ? "Files of this format may be pickles: they run code when they are loaded, which happens in the pod alone." : "",
  };
}

/** As in "2 of 1 to 5": how many answer, and how many there may be. */
export function scaleOf(service: InferenceService): string {
  const { minReplicas = 1, maxReplicas } = (service.spec.predictor ?? {}) as Predictor;
  const answering = service.status?.modelStatus?.copies?.totalCopies ?? 0;
  if (minReplicas === 0) return `${answering}${maxReplicas ? ` of up to ${maxReplicas}` : ""}, sleeps when unused`;
  if (maxReplicas === undefined || maxReplicas === minReplicas) return `${answering} of ${minReplicas}`;
  return `${answering} of ${minReplicas} to ${maxReplicas || "any number"}`;
}

/** Each version with its share, the newest first. */
export function trafficOf(service: InferenceService): { name: string; percent: number }[] {
  const parts = service.status?.components?.predictor?.traffic ?? [];
  return parts
    .map((part) => ({ name: part.revisionName ?? "", percent: part.percent ?? 0 }))
    .filter((part) => part.percent > 0)
    .sort((a, b) => b.name.localeCompare(a.name));
}

export interface Trouble {
  reason: string;
  message: string;
  /** The pod in which it happened, if it was in one. */
  pod: string;
}

export function troubleOf(service: InferenceService): Trouble | undefined {
  const failure = service.status?.modelStatus?.lastFailureInfo;
  if (failure?.message) return { reason: failure.reason ?? "", message: failure.message, pod: failure.location ?? "" };
  const ready = service.status?.conditions?.find((one) => one.type === "Ready");
  if (ready?.status !== "False") return undefined;
  return { reason: ready.reason ?? "", message: ready.message ?? ready.reason ?? "", pod: "" };
}

/** The container of a pod that failed: what fetches the model, else what serves it. */
export function failedContainer(pod: Pod): string {
  const failed = (pod.status?.initContainerStatuses ?? []).find((one) => {
    const ended = one.state?.terminated ?? one.lastState?.terminated;
    return (ended?.exitCode ?? 0) !== 0;
  });
  return failed?.name ?? "kserve-container";
}
