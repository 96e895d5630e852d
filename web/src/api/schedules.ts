// Recurring runs: Kubeflow Pipelines' API with Fairway's additions (time zones, editing, backfill, the calendar).

import { json } from "./http";
import { API, text, type ApiError, type Paging, type Query, type Template } from "./pipelines";

export interface Trigger {
  cron_schedule?: { cron: string; time_zone?: string; start_time?: string; end_time?: string };
  periodic_schedule?: { interval_second: string | number; start_time?: string; end_time?: string };
}

export interface RecurringRun extends Template {
  recurring_run_id: string;
  trigger: Trigger;
  max_concurrency?: string | number;
  no_catchup?: boolean;
  status?: "ENABLED" | "DISABLED";
  created_at: string;
  updated_at?: string;
  error?: ApiError;
  late_after_seconds?: string | number;
  next_slots?: string[];
}

/** What one writes of a recurring run. */
export type Schedule = Template & {
  trigger: Trigger;
  max_concurrency: string;
  no_catchup: boolean;
  mode: "ENABLE" | "DISABLE";
  late_after_seconds?: string;
};

export interface Slot {
  scheduled_at: string;
  run_id?: string;
  /** The state of its run, or what became of a slot without one. */
  state: string;
}

const at = (id: string) => `${API}/recurringruns/${encodeURIComponent(id)}`;
const post = <T>(path: string, body: unknown = {}) => json<T>(path, { method: "POST", body });

export const listSchedules = (query: Query) =>
  json<{ recurringRuns?: RecurringRun[] } & Paging>(`${API}/recurringruns${text(query)}`);
export const getSchedule = (id: string) => json<RecurringRun>(at(id));
export const createSchedule = (schedule: Schedule) => post<RecurringRun>(`${API}/recurringruns`, schedule);
export const editSchedule = (id: string, changed: Partial<Schedule>) =>
  json<RecurringRun>(at(id), { method: "PATCH", body: changed });
export const deleteSchedule = (id: string) => json(at(id), { method: "DELETE" });
export const enableSchedule = (id: string) => post(`${at(id)}:enable`);
export const disableSchedule = (id: string) => post(`${at(id)}:disable`);
export const runNow = (id: string) => post(`${at(id)}:run`);
export const backfill = (id: string, start_time: string, end_time: string) =>
  post<{ slots?: Slot[] }>(`${at(id)}:backfill`, { start_time, end_time });
export const listSlots = (id: string, start_time: string, end_time: string) =>
  json<{ slots?: Slot[] }>(`${at(id)}/slots${text({ start_time, end_time })}`);

/** "0 6 * * * (Europe/Berlin)", "every 5 min". */
export function inWords(trigger: Trigger | undefined): string {
  const { cron_schedule: cron, periodic_schedule: periodic } = trigger ?? {};
  if (cron) return cron.time_zone ? `${cron.cron} (${cron.time_zone})` : cron.cron;
  if (!periodic) return "";
  const seconds = Number(periodic.interval_second);
  for (const [unit, word] of [[86400, "d"], [3600, "h"], [60, "min"]] as const) {
    if (seconds % unit === 0) return `every ${seconds / unit} ${word}`;
  }
  return `every ${seconds} s`;
}
