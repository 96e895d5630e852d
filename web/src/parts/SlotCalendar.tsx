// The slots of a schedule, a row a day: what ran, how it ended, what is to come. At the bottom what can be caught up on.

import { useState } from "react";

import { backfill, listSlots, type Slot } from "../api/schedules";
import { moment, plural } from "../format";
import { usePolled } from "../live";
import { Action, Complaint, Loading } from "./pieces";
import { StateIcon } from "./State";

const DAY = 86_400_000;
const DAYS = 14;
const AHEAD = 2;

export function SlotCalendar({ id, done }: { id: string; done: () => void }) {
  // Whole weeks back from today; 0 is the present.
  const [back, setBack] = useState(0);
  const end = midnight(Date.now()) + (AHEAD + 1 - back * DAYS) * DAY;
  const begin = end - (DAYS + AHEAD) * DAY;
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

const midnight = (at: number): number => new Date(at).setHours(0, 0, 0, 0);
