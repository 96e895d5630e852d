// When a pipeline runs by itself: by a cron expression in a time zone, or at an interval; within a window.

import { inWords, type Trigger } from "../api/schedules";

export interface Timing {
  kind: "cron" | "interval";
  cron: string;
  zone: string;
  /** A number, in `unit`s of seconds. */
  every: string;
  unit: string;
  /** As `datetime-local` has it, in the browser's time; empty for none. */
  start: string;
  end: string;
  concurrency: string;
  catchup: boolean;
  /** Minutes after its slot at which a run that is not over is late; empty for never. */
  late: string;
}

export const here = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

export const usual = (): Timing => ({
  kind: "cron", cron: "0 6 * * *", zone: here(), every: "1", unit: "3600", start: "", end: "", concurrency: "1", catchup: false, late: "",
});

export function ScheduleFields({ timing, change }: { timing: Timing; change: (timing: Timing) => void }) {
  const set = (part: Partial<Timing>) => change({ ...timing, ...part });
  return (
    <div className="fields">
      <fieldset className="choice">
        <legend>Runs</legend>
        <label>
          <input type="radio" checked={timing.kind === "cron"} onChange={() => set({ kind: "cron" })} /> by cron
        </label>
        <label>
          <input type="radio" checked={timing.kind === "interval"} onChange={() => set({ kind: "interval" })} /> at an interval
        </label>
      </fieldset>
      {timing.kind === "cron" ? (
        <div className="pair">
          <Text label="Cron expression" note="minute hour day month weekday; six fields begin with seconds" value={timing.cron} change={(cron) => set({ cron })} />
          <Zone value={timing.zone} change={(zone) => set({ zone })} />
        </div>
      ) : (
        <div className="pair">
          <Text label="Every" value={timing.every} change={(every) => set({ every })} />
          <label className="field">
            <span>Unit</span>
            <select value={timing.unit} onChange={(event) => set({ unit: event.target.value })}>
              <option value="1">seconds</option>
              <option value="60">minutes</option>
              <option value="3600">hours</option>
              <option value="86400">days</option>
            </select>
          </label>
        </div>
      )}
      <div className="pair">
        <Text label="From (optional)" type="datetime-local" value={timing.start} change={(start) => set({ start })} />
        <Text label="Until (optional)" type="datetime-local" value={timing.end} change={(end) => set({ end })} />
      </div>
      <div className="pair">
        <Text label="Runs at a time" type="number" value={timing.concurrency} change={(concurrency) => set({ concurrency })} />
        <Text label="Late after (minutes, optional)" type="number" value={timing.late} change={(late) => set({ late })} />
      </div>
      <label className="row">
        <input type="checkbox" checked={timing.catchup} onChange={(event) => set({ catchup: event.target.checked })} /> Catch up on slots
        that were missed
      </label>
    </div>
  );
}

function Text({ label, note, type = "text", value, change }: { label: string; note?: string; type?: string; value: string; change: (text: string) => void }) {
  return (
    <label className="field">
      <span>{label}</span>
      <input type={type} min={type === "number" ? 1 : undefined} value={value} onChange={(event) => change(event.target.value)} />
      {note && <small>{note}</small>}
    </label>
  );
}

function Zone({ value, change }: { value: string; change: (zone: string) => void }) {
  return (
    <label className="field">
      <span>Time zone</span>
      <input list="zones" value={value} onChange={(event) => change(event.target.value)} />
      <datalist id="zones">
        {Intl.supportedValuesOf("timeZone").map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
    </label>
  );
}

/** The trigger to send. */
export function triggerOf(timing: Timing): Trigger {
  const window = {
    ...(timing.start ? { start_time: new Date(timing.start).toISOString() } : {}),
    ...(timing.end ? { end_time: new Date(timing.end).toISOString() } : {}),
  };
  if (timing.kind === "cron") return { cron_schedule: { cron: timing.cron.trim(), time_zone: timing.zone, ...window } };
  return { periodic_schedule: { interval_second: String(Number(timing.every) * Number(timing.unit)), ...window } };
}

/** The fields as a trigger fills them. */
export function timingOf(trigger: Trigger): Timing {
  const timing = usual();
  const { cron_schedule: cron, periodic_schedule: periodic } = trigger;
  const window = { start: local((cron ?? periodic)?.start_time), end: local((cron ?? periodic)?.end_time) };
  if (cron) return { ...timing, ...window, kind: "cron", cron: cron.cron, zone: cron.time_zone ?? "UTC" };
  const seconds = Number(periodic?.interval_second ?? 3600);
  const unit = [86400, 3600, 60].find((candidate) => seconds % candidate === 0) ?? 1;
  return { ...timing, ...window, kind: "interval", every: String(seconds / unit), unit: String(unit) };
}

export const timingInWords = (timing: Timing): string => inWords(triggerOf(timing));

/** The browser's local time as `datetime-local` wants it. */
export function local(time: string | undefined): string {
  if (!time) return "";
  const at = new Date(time);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
