// Times, durations and values as people read them.

const STEPS: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, "second"],
  [60, "minute"],
  [24, "hour"],
  [30, "day"],
  [12, "month"],
  [Number.POSITIVE_INFINITY, "year"],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** "3 minutes ago"; an absent or zero time is "". */
export function ago(time: string | undefined, now: number): string {
  const at = moment(time);
  if (at === undefined) return "";
  let distance = (at - now) / 1000;
  if (Math.abs(distance) < 5) return "just now";
  for (const [size, unit] of STEPS) {
    if (Math.abs(distance) < size) return relative.format(Math.trunc(distance), unit);
    distance /= size;
  }
  return "";
}

/** "340 ms", "1.2 s", "3 min 5 s", "2 h 10 min". */
export function duration(from: string | undefined, to: string | undefined, now: number): string {
  const start = moment(from);
  if (start === undefined) return "";
  return span((moment(to) ?? now) - start);
}

export function span(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Full local date and time, for titles. */
export function exact(time: string | undefined): string {
  const at = moment(time);
  return at === undefined ? "" : new Date(at).toLocaleString();
}

/** Milliseconds since the epoch. Kubeflow writes the epoch itself where there is no time. */
export function moment(time: string | undefined): number | undefined {
  if (!time) return undefined;
  const at = Date.parse(time);
  return Number.isNaN(at) || at <= 0 ? undefined : at;
}

/** A parameter's value on one line or, for lists and objects, as JSON. */
export function value(of: unknown): string {
  if (of === null || of === undefined) return "";
  if (typeof of === "string") return of;
  if (typeof of === "object") return JSON.stringify(of, null, 2);
  return String(of);
}

/** A metric: at most four significant decimals, whole numbers as they are. */
export function metric(of: number): string {
  return Number.isInteger(of) ? String(of) : String(Number(of.toPrecision(4)));
}

/** "12 kB", by thousands. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${step ? Number((bytes / 1000 ** step).toPrecision(3)) : bytes} ${units[step]}`;
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
