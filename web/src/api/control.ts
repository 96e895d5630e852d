// What one does with runs beyond looking: Fairway's additions to Kubeflow Pipelines' API.

import { json } from "./http";
import { API, type Run } from "./pipelines";

const post = <T>(path: string, body: unknown = {}) => json<T>(`${API}/${path}`, { method: "POST", body });

export const pauseRun = (id: string) => post(`runs/${encodeURIComponent(id)}:pause`);
export const resumeRun = (id: string) => post(`runs/${encodeURIComponent(id)}:resume`);
export const retryRun = (id: string) => post(`runs/${encodeURIComponent(id)}:retry`);
export const archiveRun = (id: string) => post(`runs/${encodeURIComponent(id)}:archive`);
export const unarchiveRun = (id: string) => post(`runs/${encodeURIComponent(id)}:unarchive`);

/** A new run that takes what came before `from` from this one, and runs the rest. Steps are scope paths. */
export const rerun = (id: string, from: string[], inputs: Record<string, Record<string, unknown>> = {}) =>
  post<Run>(`runs/${encodeURIComponent(id)}:rerun`, { from, inputs });

/** A step that stands still for a look goes on. */
export const continueStep = (run: string, task: string) => post(`runs/${encodeURIComponent(run)}/tasks/${encodeURIComponent(task)}:continue`);

export interface Approval {
  task_id: string;
  run_id: string;
  display_name?: string;
  message?: string;
  state: "WAITING" | "APPROVED" | "REJECTED";
  asked_at?: string;
  decided_at?: string;
  decided_by?: string;
  comment?: string;
}

export const listApprovals = (run: string) => json<{ approvals?: Approval[] }>(`${API}/runs/${encodeURIComponent(run)}/approvals`);
export const listWaiting = () => json<{ approvals?: Approval[] }>(`${API}/approvals?state=WAITING`);
export const decide = (asked: Approval, verdict: "approve" | "reject", comment: string) =>
  post(`runs/${encodeURIComponent(asked.run_id)}/tasks/${encodeURIComponent(asked.task_id)}:${verdict}`, comment ? { comment } : {});
