import { describe, expect, it } from "vitest";

import { inWords } from "../src/api/schedules";
import { table } from "../src/pages/Compare";
import { complaintOf, typedOf, valuesOf } from "../src/parts/ParameterFields";
import { timingOf, triggerOf } from "../src/parts/ScheduleFields";
import { byDay, reach } from "../src/parts/SlotCalendar";

const definitions = {
  name: { parameterType: "STRING" },
  depth: { parameterType: "NUMBER_INTEGER", defaultValue: 3 },
  rows: { parameterType: "LIST", isOptional: true },
  mode: { parameterType: "STRING", literals: ["fast", "good"], defaultValue: "fast" },
  level: { parameterType: "NUMBER_INTEGER", literals: [1, 2], defaultValue: 1 },
};

describe("parameters", () => {
  it("are sent with the types that the pipeline declares, and only where given", () => {
    const typed = { name: "1", depth: "4", rows: "[1, 2]", mode: "good", level: "2" };
    expect(valuesOf(definitions, typed)).toEqual({ name: "1", depth: 4, rows: [1, 2], mode: "good", level: 2 });
    expect(valuesOf(definitions, { name: "x" })).toEqual({ name: "x" });
  });

  it("are complained of in a sentence that names them", () => {
    expect(complaintOf(definitions, {})).toBe("name needs a value.");
    expect(complaintOf(definitions, { name: "x", depth: "1.5" })).toMatch(/^depth: /);
    expect(complaintOf(definitions, { name: "x", rows: '{"a": 1}' })).toMatch(/^rows: /);
    expect(complaintOf(definitions, { name: "x" })).toBeUndefined();
  });

  it("of an earlier run come back as they were typed", () => {
    const values = { name: "x", rows: [1], depth: 0 };
    expect(valuesOf(definitions, typedOf(values))).toEqual(values);
  });
});

describe("schedules", () => {
  it("keep their trigger through the form", () => {
    const cron = { cron_schedule: { cron: "*/5 * * * *", time_zone: "Europe/Berlin" } };
    expect(triggerOf(timingOf(cron))).toEqual(cron);
    const periodic = { periodic_schedule: { interval_second: "5400", start_time: "2026-01-02T03:04:00.000Z" } };
    expect(triggerOf(timingOf(periodic))).toEqual(periodic);
  });

  it("show as many days as hold what can be read", () => {
    const slots = (apart: number) => [0, 1, 2].map((at) => new Date(Date.UTC(2026, 0, 1) + at * apart * 1000).toISOString());
    const trigger = { cron_schedule: { cron: "" } };
    expect(reach({ trigger, next_slots: slots(86_400) }) / 86_400_000).toBe(16);
    expect(reach({ trigger, next_slots: slots(1800) }) / 86_400_000).toBe(6);
    expect(reach({ trigger: { periodic_schedule: { interval_second: 1 } } })).toBe(300_000);
    expect(reach({ trigger }) / 86_400_000).toBe(6);
  });

  it("are told in words", () => {
    expect(inWords({ periodic_schedule: { interval_second: "5400" } })).toBe("every 90 min");
    expect(inWords({ cron_schedule: { cron: "@daily", time_zone: "Asia/Tokyo" } })).toBe("@daily (Asia/Tokyo)");
  });

  it("show the newest day first, and within a day the earliest slot", () => {
    const slots = ["2026-01-01T12:00:00Z", "2026-01-02T13:00:00Z", "2026-01-02T12:00:00Z"].map((scheduled_at) => ({ scheduled_at, state: "MISSED" }));
    const days = byDay(slots);
    expect(days.map(([, all]) => all.length)).toEqual([2, 1]);
    expect(days[0]![1][0]!.scheduled_at).toBe("2026-01-02T12:00:00Z");
  });
});

it("a comparison has one row for each name that any run has", () => {
  const rows = table([{ a: "1" }, { b: "2" }] as Record<string, string>[], (column) => Object.entries(column));
  expect(rows).toEqual([["a", ["1", ""]], ["b", ["", "2"]]]);
});
