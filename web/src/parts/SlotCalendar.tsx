// The slots of a schedule, a row a day: what ran, how it ended, what is to come. At the bottom what can be caught up on.

import { useState } from "react";

import { backfill, listSlots, type RecurringRun, type Slot } from "../api/schedules";
import { moment, plural } from "../format";
import { usePolled } from "../live";
import { Action, Complaint, Loading } from "./pieces";
import { StateIcon } from "./State";

const DAY = 86_400_000;
const DAYS = 14;
const AHEAD = 2;
/** About how many slots are shown at a time of a schedule that has more in those days. */
const SLOTS = 300;

interface Props {
  schedule: RecurringRun;
  done: () => void;
}

export function SlotCalendar({ schedule, done }: Props) {
  const { recurring_run_id: id } = schedule;
  // Windows back from now; 0 is the present.
  const [back, setBack] = useState(0);
  const length = reach(schedule);
  const step = Math.min(DAY, length);
  // Windows begin and end with the day, or where a day holds too much with a step of their own.
  const end = Math.ceil((Date.now() + (length * AHEAD) / (DAYS + AHEAD) - zone()) / step) * step + zone() - back * length;
  const begin = end - length;
  const window: [string, string] = [new Date(begin).toISOString(), new Date(end).toISOString()];
  const { value, failure, refresh } = usePolled(`slots ${id} ${begin}`, () => listSlots(id, ...window), () => (back ? 0 : 5000));
  const days = byDay(value?.slots ?? []);
  const missed = (value?.slots ?? []).filter((slot) => slot.state === "MISSED").length;
  const until = new Date(Math.min(end, Date.now())).toISOString();
  return (
    <div className="calendar">
      <div className="row">
        <button type="button" onClick={() => setBack(back + 1)}>
          Earlier
        </button>
        <button type="button" disabled={back === 0} onClick={() => setBack(back - 1)}>
          Later
        </button>
        {missed > 0 && (
          <Action label={`Backfill ${plural(missed, "missed slot")}`} act={() => backfill(id, window[0], until).then(() => (refresh(), done()))} />
        )}
      </div>
      <Complaint failure={failure} retry={refresh} />
      {!value && !failure && <Loading />}
      {value && days.length === 0 && <p className="quiet">No slots in these days.</p>}
      <ol className="plain days">
        {days.map(([day, slots]) => (
          <li key={day}>
            <span className="day">{day}</span>
            <span className="slots">
              {slots.map((slot) => (
                <SlotMark key={slot.scheduled_at} slot={slot} />
              ))}
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
}

function SlotMark({ slot }: { slot: Slot }) {
  const time = new Date(slot.scheduled_at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const state = { PLANNED: "PENDING", DUE: "PENDING", MISSED: "SKIPPED" }[slot.state] ?? slot.state;
  const mark = (
    <>
      <StateIcon state={state} /> {time}
    </>
  );
  const title = `${time}: ${slot.state.toLowerCase()}`;
  return slot.run_id ? (
    <a className="slot" title={title} href={`#/runs/details/${slot.run_id}`}>
      {mark}
    </a>
  ) : (
    <span className={`slot is-${slot.state.toLowerCase()}`} title={title}>
      {mark}
    </span>
  );
}

/** Newest day first, each with its slots in order. */
export function byDay(slots: readonly Slot[]): [string, Slot[]][] {
  const days = new Map<string, Slot[]>();
  for (const slot of slots.toSorted((a, b) => moment(a.scheduled_at)! - moment(b.scheduled_at)!)) {
    const day = new Date(slot.scheduled_at).toLocaleDateString([], { weekday: "short", day: "numeric", month: "short" });
    days.set(day, [...(days.get(day) ?? []), slot]);
  }
  return [...days].reverse();
}

/** How long a window is, in milliseconds: sixteen days, or as long as so many slots take. */
export function reach({ trigger, next_slots: upcoming = [] }: Pick<RecurringRun, "trigger" | "next_slots">): number {
  const times = upcoming.map((slot) => moment(slot)!);
  const interval = Number(trigger.periodic_schedule?.interval_second ?? 0) * 1000;
  // Of a cron expression that is off nobody tells how often it comes: six days of minutes can be asked for.
  const apart = interval || (times.length > 1 ? (times.at(-1)! - times[0]!) / (times.length - 1) : (6 * DAY) / SLOTS);
  const days = Math.min(DAYS + AHEAD, Math.floor((apart * SLOTS) / DAY));
  return days >= 1 ? days * DAY : Math.max(60_000, apart * SLOTS);
}

/** What the local day begins after a day of UTC does, in milliseconds. */
const zone = (): number => new Date().getTimezoneOffset() * 60_000;
