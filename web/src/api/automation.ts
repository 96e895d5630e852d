// Triggers, notices and pools: Fairway's additions to Kubeflow Pipelines' API.

import { json } from "./http";
import { API, text, type ApiError, type Paging, type Query, type Template } from "./pipelines";

export interface TriggerRecord extends Template {
  trigger_id: string;
  run?: { pipeline_name?: string; experiment_id?: string; recurring_run_id?: string; states?: string[] };
  artifact?: { name?: string; type?: string; pipeline_name?: string; uri?: string };
  webhook?: object;
  status?: "ENABLED" | "DISABLED";
  max_concurrency?: string | number;
  fired_at?: string;
  created_at: string;
  error?: ApiError;
}

export interface NoticeRule {
  notice_id: string;
  display_name: string;
  events: string[];
  only?: Record<string, string>;
  webhook?: { url: string };
  email?: { to: string[] };
  status?: "ENABLED" | "DISABLED";
  created_at: string;
}

export interface Delivery {
  delivery_id: string;
  run_id?: string;
  event: string;
  state: "PENDING" | "DELIVERED" | "FAILED";
  attempts?: number;
  created_at: string;
  error?: ApiError;
}

export interface Pool {
  name: string;
  slots: number;
  description?: string;
  used?: number;
  waiting?: number;
}

const act = (method: "POST" | "DELETE" | "PUT", path: string, body?: unknown) => json(`${API}/${path}`, { method, body });

export const listTriggers = (query: Query) => json<{ triggers?: TriggerRecord[] } & Paging>(`${API}/triggers${text(query)}`);
export const getTrigger = (id: string) => json<TriggerRecord>(`${API}/triggers/${encodeURIComponent(id)}`);
export const switchTrigger = (id: string, on: boolean) => act("POST", `triggers/${encodeURIComponent(id)}:${on ? "enable" : "disable"}`, {});
export const deleteTrigger = (id: string) => act("DELETE", `triggers/${encodeURIComponent(id)}`);

export const listNotices = (query: Query) => json<{ notices?: NoticeRule[] } & Paging>(`${API}/notices${text(query)}`);
export const testNotice = (id: string) => act("POST", `notices/${encodeURIComponent(id)}:test`, {});
export const deleteNotice = (id: string) => act("DELETE", `notices/${encodeURIComponent(id)}`);
export const listDeliveries = (id: string) => json<{ deliveries?: Delivery[] } & Paging>(`${API}/notices/${encodeURIComponent(id)}/deliveries`);

export const listPools = () => json<{ pools?: Pool[] }>(`${API}/pools`);
export const setPool = (name: string, slots: number, description: string) =>
  act("PUT", `pools/${encodeURIComponent(name)}`, { slots, description });
export const deletePool = (name: string) => act("DELETE", `pools/${encodeURIComponent(name)}`);
