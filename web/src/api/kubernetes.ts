// Kubernetes objects through the front door, and a hook that keeps a list of them up to date.

import { useEffect, useState, useSyncExternalStore } from "react";

import { asFailure, Failure, followLines, json } from "./http";

const API = "/k8s";

export interface Meta {
  name: string;
  namespace?: string;
  uid: string;
  creationTimestamp: string;
  deletionTimestamp?: string;
  resourceVersion: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: { kind: string; name: string; uid: string }[];
}

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export interface KubernetesObject {
  metadata: Meta;
}

/** Whatever a controller says something of. */
export interface Conditioned {
  status?: { conditions?: Condition[] };
}

export interface ContainerState {
  waiting?: { reason?: string; message?: string };
  running?: { startedAt?: string };
  terminated?: { reason?: string; exitCode?: number; signal?: number; message?: string; finishedAt?: string };
}

export interface ContainerStatus {
  name: string;
  ready?: boolean;
  restartCount?: number;
  state?: ContainerState;
  lastState?: ContainerState;
}

export interface Pod extends KubernetesObject {
  spec: {
    nodeName?: string;
    containers: { name: string; image?: string; command?: string[]; args?: string[] }[];
    initContainers?: { name: string; image?: string }[];
  };
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    podIP?: string;
    startTime?: string;
    conditions?: Condition[];
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
}

export interface ModelBlock {
  modelFormat?: { name?: string };
  storageUri?: string;
  protocolVersion?: string;
  storage?: { path?: string; key?: string };
}

export interface Predictor {
  minReplicas?: number;
  maxReplicas?: number;
  model?: ModelBlock;
  containers?: { name?: string; image?: string }[];
  storageUris?: { uri: string; mountPath?: string }[];
  // A framework's own block, as in sklearn: {...}.
  sklearn?: ModelBlock;
  xgboost?: ModelBlock;
  tensorflow?: ModelBlock;
  pytorch?: ModelBlock;
  triton?: ModelBlock;
  onnx?: ModelBlock;
  huggingface?: ModelBlock;
  pmml?: ModelBlock;
  lightgbm?: ModelBlock;
  paddle?: ModelBlock;
}

export interface ComponentStatus {
  url?: string;
  latestReadyRevision?: string;
  traffic?: { revisionName?: string; percent?: number; latestRevision?: boolean; tag?: string }[];
}

export interface GraphStep {
  name?: string;
  nodeName?: string;
  serviceName?: string;
  serviceUrl?: string;
  data?: string;
  weight?: number;
  condition?: string;
  dependency?: "Soft" | "Hard";
  default?: boolean;
  timeout?: number;
  retries?: number;
}

export interface InferenceGraph extends KubernetesObject {
  spec: { nodes?: Record<string, { routerType?: string; merge?: string; steps?: GraphStep[] }> };
  status?: { url?: string; address?: { url?: string }; conditions?: Condition[] };
}

export interface InferenceService extends KubernetesObject {
  spec: { predictor?: Predictor; transformer?: object; explainer?: object };
  status?: {
    url?: string;
    address?: { url?: string };
    conditions?: Condition[];
    components?: Record<string, ComponentStatus>;
    servingRuntimeName?: string;
    clusterServingRuntimeName?: string;
    deploymentMode?: string;
    modelStatus?: {
      transitionStatus?: string;
      copies?: { totalCopies?: number; failedCopies?: number };
      lastFailureInfo?: { message?: string; reason?: string; location?: string };
    };
  };
}

export interface KubernetesEvent extends KubernetesObject {
  type?: string;
  reason?: string;
  message?: string;
  count?: number;
  firstTimestamp?: string;
  lastTimestamp?: string;
  eventTime?: string;
  involvedObject: { kind?: string; name?: string; namespace?: string; uid?: string };
}

export const PODS = "api/v1/pods";
export const EVENTS = "api/v1/events";
export const SERVICES = "apis/serving.kserve.io/v1beta1/inferenceservices";
export const GRAPHS = "apis/serving.kserve.io/v1alpha1/inferencegraphs";

/** The path of one object, or of a collection within a namespace. */
export function within(collection: string, namespace: string, name = ""): string {
  const cut = collection.lastIndexOf("/");
  const path = `${collection.slice(0, cut)}/namespaces/${encodeURIComponent(namespace)}${collection.slice(cut)}`;
  return name ? `${path}/${encodeURIComponent(name)}` : path;
}

export const remove = (path: string) => json(`${API}/${path}`, { method: "DELETE" });

/** The end of a log, as it is: for why something failed. */
export const podLogEndPath = (namespace: string, name: string, container: string, lines: number) =>
  `${API}/${within(PODS, namespace, name)}/log?container=${encodeURIComponent(container)}&tailLines=${lines}`;

export const podLogPath = (namespace: string, name: string, container: string) =>
  `${API}/${within(PODS, namespace, name)}/log?container=${encodeURIComponent(container)}&follow=true`;

interface List<T> {
  metadata: { resourceVersion: string };
  items?: T[];
}

interface WatchEvent<T> {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  object: T & { message?: string };
}

export interface Live<T> {
  items: T[] | undefined;
  failure: Failure | undefined;
}

const NOTHING_YET = { items: undefined, failure: undefined };
const TELL_AFTER = 100; // milliseconds: many changes are shown at once

/** The objects of a collection, listed and then watched; `fields` is a field selector.
 *
 * A page that is not seen stops watching: browsers hold six connections to one server, for all tabs together.
 */
export function useObjects<T extends KubernetesObject>(collection: string, fields = ""): Live<T> {
  const key = `${collection}?${fields}`;
  const [live, setLive] = useState<Live<T> & { key: string }>({ key, ...NOTHING_YET });
  const seen = useSyncExternalStore(subscribeToSight, () => !document.hidden);
  useEffect(() => {
    if (!seen) return;
    const stop = new AbortController();
    void keep<T>(collection, fields, stop.signal, (found) => setLive({ key, ...found }));
    return () => stop.abort();
  }, [key, collection, fields, seen]);
  return live.key === key ? live : NOTHING_YET;
}

function subscribeToSight(changed: () => void): () => void {
  document.addEventListener("visibilitychange", changed);
  return () => document.removeEventListener("visibilitychange", changed);
}

async function keep<T extends KubernetesObject>(
  collection: string,
  fields: string,
  signal: AbortSignal,
  show: (live: Live<T>) => void,
): Promise<void> {
  const known = new Map<string, T>();
  let telling = 0;
  const tell = () => {
    telling ||= window.setTimeout(() => {
      telling = 0;
      if (!signal.aborted) show({ items: [...known.values()], failure: undefined });
    }, TELL_AFTER);
  };
  const query = fields ? `fieldSelector=${encodeURIComponent(fields)}&` : "";
  while (!signal.aborted) {
    try {
      const list = await json<List<T>>(`${API}/${collection}?${query}`, { signal });
      known.clear();
      for (const item of list.items ?? []) known.set(item.metadata.uid, item);
      show({ items: [...known.values()], failure: undefined });
      const from = `watch=true&allowWatchBookmarks=true&resourceVersion=${list.metadata.resourceVersion}`;
      await followLines<WatchEvent<T>>(`${API}/${collection}?${query}${from}`, signal, ({ type, object }) => {
        if (type === "BOOKMARK") return;
        if (type === "ERROR") throw new Failure(object.message ?? "The watch broke off.", 410);
        if (type === "DELETED") known.delete(object.metadata.uid);
        else known.set(object.metadata.uid, object);
        tell();
      });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Failure) || error.status !== 410) {
        show({ items: known.size ? [...known.values()] : undefined, failure: asFailure(error) });
      }
    }
    await new Promise((resume) => setTimeout(resume, 1000));
  }
}

/** In the order in which people look for a name. */
export const byName = <T extends KubernetesObject>(items: T[]): T[] => [...items].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));

/** What `kubectl get pods` prints in the STATUS column. */
export function podStatus(pod: Pod): string {
  const status = pod.status ?? {};
  if (pod.metadata.deletionTimestamp) return "Terminating";
  let word = status.reason ?? status.phase ?? "Unknown";
  for (const container of status.initContainerStatuses ?? []) {
    const { terminated, waiting } = container.state ?? {};
    if (terminated && terminated.exitCode !== 0) return `Init:${terminated.reason ?? `ExitCode:${terminated.exitCode}`}`;
    if (waiting?.reason && waiting.reason !== "PodInitializing") return `Init:${waiting.reason}`;
  }
  for (const container of status.containerStatuses ?? []) {
    const { waiting, terminated } = container.state ?? {};
    if (waiting?.reason) word = waiting.reason;
    else if (terminated) word = terminated.reason ?? (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`);
  }
  return word;
}

export const restarts = (pod: Pod): number =>
  (pod.status?.containerStatuses ?? []).reduce((sum, container) => sum + (container.restartCount ?? 0), 0);

export const condition = (object: Conditioned, type: string): Condition | undefined =>
  object.status?.conditions?.find((candidate) => candidate.type === type);
