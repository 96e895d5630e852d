// Kubeflow Pipelines' API (v2beta1), as far as the dashboard reads it. Field names are the wire's.

import { json } from "./http";

export const API = "/apis/v2beta1";

export type State =
  | "PENDING"
  | "RUNNING"
  | "SUCCEEDED"
  | "CACHED"
  | "SKIPPED"
  | "FAILED"
  | "CANCELING"
  | "CANCELED"
  | "PAUSED";

export interface ApiError {
  code?: number;
  message?: string;
}

export interface Run {
  run_id: string;
  display_name: string;
  experiment_id?: string;
  description?: string;
  storage_state?: string;
  state?: State;
  created_at: string;
  finished_at?: string;
  error?: ApiError;
  pipeline_spec?: SpecDocument;
  pipeline_version_reference?: { pipeline_id?: string; pipeline_version_id?: string };
  runtime_config?: { parameters?: Record<string, unknown>; pipeline_root?: string };
  state_history?: { update_time: string; state: State }[];
  scheduled_at?: string;
  recurring_run_id?: string;
  trigger_id?: string;
  source_run_id?: string;
  late?: boolean;
  late_at?: string;
}

export interface Experiment {
  experiment_id: string;
  display_name: string;
  description?: string;
  created_at: string;
  last_run_created_at?: string;
  storage_state?: string;
}

export interface Pipeline {
  pipeline_id: string;
  display_name: string;
  name?: string;
  description?: string;
  created_at: string;
}

export interface PipelineVersion {
  pipeline_id: string;
  pipeline_version_id: string;
  display_name: string;
  name?: string;
  description?: string;
  created_at: string;
  pipeline_spec?: SpecDocument;
}

// The compiled pipeline: bare, or beside a platform document.
export type SpecDocument = PipelineSpec | { pipeline_spec: PipelineSpec; platform_spec?: unknown };

export interface PipelineSpec {
  pipelineInfo?: { name?: string; description?: string };
  root?: Component;
  components?: Record<string, Component>;
  deploymentSpec?: { executors?: Record<string, Executor> };
}

export interface Executor {
  container?: { image?: string; command?: string[]; args?: string[] };
  importer?: unknown;
}

export interface Component {
  executorLabel?: string;
  dag?: { tasks?: Record<string, TaskSpec> };
  inputDefinitions?: { parameters?: Record<string, ParameterDefinition> };
}

export interface ParameterDefinition {
  parameterType?: string;
  defaultValue?: unknown;
  isOptional?: boolean;
  description?: string;
  /** The only values that are allowed, where there are such. */
  literals?: unknown[];
}

export interface TaskSpec {
  taskInfo?: { name?: string };
  componentRef?: { name?: string };
  dependentTasks?: string[];
  inputs?: {
    parameters?: Record<string, { taskOutputParameter?: { producerTask?: string } }>;
    artifacts?: Record<string, { taskOutputArtifact?: { producerTask?: string } }>;
  };
  triggerPolicy?: { condition?: string };
  parameterIterator?: unknown;
  artifactIterator?: unknown;
}

export type TaskType =
  | "ROOT"
  | "RUNTIME"
  | "CONDITION_BRANCH"
  | "CONDITION"
  | "LOOP"
  | "EXIT_HANDLER"
  | "IMPORTER"
  | "DAG";

export interface Task {
  task_id: string;
  run_id: string;
  name: string;
  display_name?: string;
  parent_task_id?: string;
  type?: TaskType;
  type_attributes?: { iteration_index?: string | number; iteration_count?: string | number };
  state?: State;
  create_time?: string;
  start_time?: string;
  end_time?: string;
  pods?: { name: string; type?: string }[];
  scope_path?: string | string[];
  cache_fingerprint?: string;
  attempts?: number;
  status_metadata?: { message?: string };
  inputs?: TaskValues;
  outputs?: TaskValues;
}

export interface TaskValues {
  parameters?: TaskParameter[];
  artifacts?: TaskArtifact[];
}

export interface TaskParameter {
  parameter_key: string;
  value?: unknown;
  type?: string;
  producer?: { task_name?: string; iteration?: string | number };
}

export interface TaskArtifact {
  artifact_key: string;
  artifacts?: Artifact[];
  type?: string;
  producer?: { task_name?: string; iteration?: string | number };
}

export interface Artifact {
  artifact_id: string;
  name?: string;
  type?: string;
  uri?: string;
  metadata?: Record<string, unknown>;
  number_value?: number;
  created_at?: string;
}

export interface Paging {
  next_page_token?: string;
  total_size?: number;
}

export interface Query {
  page_size?: number;
  page_token?: string;
  sort_by?: string;
  experiment_id?: string;
  recurring_run_id?: string;
  filter?: string;
}

/** What is run: a version of a pipeline, or a compiled pipeline itself. */
export interface Template {
  display_name: string;
  description?: string;
  experiment_id?: string;
  pipeline_spec?: SpecDocument;
  pipeline_version_reference?: { pipeline_id?: string; pipeline_version_id?: string };
  runtime_config?: { parameters?: Record<string, unknown>; pipeline_root?: string };
  service_account?: string;
}

export const createRun = (template: Template) => json<Run>(`${API}/runs`, { method: "POST", body: template });
export const listRuns = (query: Query) => json<{ runs?: Run[] } & Paging>(`${API}/runs${text(query)}`);
export const getRun = (id: string) => json<Run>(`${API}/runs/${encodeURIComponent(id)}`);
export const terminateRun = (id: string) => json(`${API}/runs/${encodeURIComponent(id)}:terminate`, { method: "POST" });
/** With `artifacts` what its steps made goes too, as far as nothing else uses it. */
export const deleteRun = (id: string, artifacts: boolean) => json(`${API}/runs/${encodeURIComponent(id)}?artifacts=${artifacts}`, { method: "DELETE" });

export async function listTasks(run: string): Promise<Task[]> {
  const tasks: Task[] = [];
  let token = "";
  do {
    const page = await json<{ tasks?: Task[] } & Paging>(
      `${API}/runs/${encodeURIComponent(run)}/tasks${text({ page_size: 1000, page_token: token })}`,
    );
    tasks.push(...(page.tasks ?? []));
    token = page.next_page_token ?? "";
  } while (token);
  return tasks;
}

export const listExperiments = (query: Query) =>
  json<{ experiments?: Experiment[] } & Paging>(`${API}/experiments${text(query)}`);
export const getExperiment = (id: string) => json<Experiment>(`${API}/experiments/${encodeURIComponent(id)}`);
export const listPipelines = (query: Query) =>
  json<{ pipelines?: Pipeline[] } & Paging>(`${API}/pipelines${text(query)}`);
export const getPipeline = (id: string) => json<Pipeline>(`${API}/pipelines/${encodeURIComponent(id)}`);
export const deletePipeline = (id: string) => json(`${API}/pipelines/${encodeURIComponent(id)}?cascade=true`, { method: "DELETE" });
export const listVersions = (id: string, query: Query) =>
  json<{ pipeline_versions?: PipelineVersion[] } & Paging>(`${API}/pipelines/${encodeURIComponent(id)}/versions${text(query)}`);

export interface File {
  path: string;
  size: number;
}

export const listFiles = (artifact: string) =>
  json<{ files?: File[]; total_size?: number }>(`${API}/artifacts/${encodeURIComponent(artifact)}:files`);

/** Where the browser downloads a file of an artifact; the path is empty where the artifact is the file. */
export const filePath = (artifact: string, path: string) =>
  `${API}/artifacts/${encodeURIComponent(artifact)}:content${text({ path })}`;

/** The log of a step, before its pod begins, while it lives and after. */
export const logPath = (run: string, task: string, live: boolean) =>
  `/apis/v1alpha1/runs/${encodeURIComponent(run)}/nodes/${encodeURIComponent(task)}/log${live ? "?follow=true" : ""}`;

export const bareSpec = (document: SpecDocument | undefined): PipelineSpec | undefined =>
  document && "pipeline_spec" in document ? document.pipeline_spec : document;

export const isOver = (state: string | undefined): boolean =>
  state !== undefined && ["SUCCEEDED", "CACHED", "SKIPPED", "FAILED", "CANCELED"].includes(state);

/** A filter that holds where all of these do. */
export const filterOf = (...predicates: { operation: string; key: string; string_value: string }[]): string =>
  predicates.length ? JSON.stringify({ predicates }) : "";

export function text(query: Query | Record<string, string | number | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, String(value));
  const out = search.toString();
  return out ? `?${out}` : "";
}
