// Pipelines that run by themselves: the list, and one with its calendar, its runs, and what can be changed.

import { useState } from "react";

import {
  deleteSchedule,
  disableSchedule,
  editSchedule,
  enableSchedule,
  getSchedule,
  inWords,
  listSchedules,
  runNow,
  type RecurringRun,
} from "../api/schedules";
import { asFailure, type Failure } from "../api/http";
import { exact, value as shown } from "../format";
import { useNow, usePolled } from "../live";
import { Action, Ago, Code, Complaint, Danger, Empty, Facts, Header, Loading, Tabs } from "../parts/pieces";
import { ScheduleFields, timingOf, triggerOf } from "../parts/ScheduleFields";
import { SlotCalendar } from "../parts/SlotCalendar";
import { Listed } from "../parts/Table";
import { RunTable } from "./Runs";

export function Schedules() {
  const { value, failure, refresh } = usePolled(
    "schedules",
    () => listSchedules({ page_size: 200, sort_by: "created_at desc" }),
    () => 5000,
  );
  const now = useNow(false);
  return (
    <>
      <Header title="Schedules">
        <a className="button primary" href="#/runs/new?recurring=1">
          New schedule
        </a>
      </Header>
      <Listed
        rows={value && (value.recurringRuns ?? [])}
        failure={failure}
        retry={refresh}
        none={<NoSchedules />}
        idOf={(schedule) => schedule.recurring_run_id}
        columns={[
          { head: "Name", as: "wide", cell: ({ recurring_run_id: id, display_name: name }) => <a href={`#/recurringruns/details/${id}`}>{name}</a> },
          { head: "When", cell: (schedule) => inWords(schedule.trigger) },
          { head: "Next", cell: (schedule) => exact(schedule.next_slots?.[0]) },
          { head: "Status", cell: (schedule) => <Status schedule={schedule} /> },
          { head: "Created", cell: (schedule) => <Ago time={schedule.created_at} now={now} /> },
        ]}
      />
    </>
  );
}

function NoSchedules() {
  return (
    <Empty title="Nothing runs by itself yet">
      <p>A pipeline can run by a cron expression in any time zone, or at an interval:</p>
      <Code label="Make a schedule" text={'fairway schedules create hello.py --cron "0 6 * * *" --time-zone Europe/Berlin'} />
    </Empty>
  );
}

function Status({ schedule }: { schedule: RecurringRun }) {
  if (schedule.error?.message) return <span className="bad" title={schedule.error.message}>failing</span>;
  return schedule.status === "DISABLED" ? <span className="quiet">off</span> : <>on</>;
}

export function SchedulePage({ id }: { id: string }) {
  const { value, failure, refresh } = usePolled(`schedule ${id}`, () => getSchedule(id), () => 5000);
  if (!value) return failure ? <Complaint failure={failure} retry={refresh} /> : <Loading />;
  const off = value.status === "DISABLED";
  return (
    <>
      <Header title={value.display_name} back={["Schedules", "#/recurringruns"]}>
        <Action label="Run now" act={() => runNow(id).then(refresh)} />
        <Action label={off ? "Turn on" : "Turn off"} act={() => (off ? enableSchedule : disableSchedule)(id).then(refresh)} />
        <Danger label="Delete" sure="Delete for ever" act={() => deleteSchedule(id).then(() => location.assign("#/recurringruns"))} />
      </Header>
      <p className="summary">
        <span>{inWords(value.trigger)}</span>
        <span>{off ? "off" : value.next_slots?.length ? `next ${exact(value.next_slots[0])}` : "no further slot"}</span>
      </p>
      {value.error?.message && (
        <div className="complaint" role="alert">
          {value.error.message}
        </div>
      )}
      <Tabs
        label="Views of the schedule"
        tabs={[
          { name: "Calendar", content: () => <SlotCalendar schedule={value} done={refresh} /> },
          { name: "Runs", content: () => <RunTable schedule={id} /> },
          { name: "Details", content: () => <Details schedule={value} /> },
          { name: "Edit", content: () => <Edit schedule={value} done={refresh} /> },
        ]}
      />
    </>
  );
}

function Details({ schedule }: { schedule: RecurringRun }) {
  const { cron_schedule: cron, periodic_schedule: periodic } = schedule.trigger;
  const reference = schedule.pipeline_version_reference;
  return (
    <Facts
      facts={[
        ["Schedule id", <code>{schedule.recurring_run_id}</code>],
        ["Description", schedule.description],
        ["Pipeline", reference?.pipeline_id && <a href={`#/pipelines/details/${reference.pipeline_id}`}>{reference.pipeline_id}</a>],
        ["Version", reference?.pipeline_id && (reference.pipeline_version_id ?? "the newest")],
        ["Experiment", schedule.experiment_id && <a href={`#/experiments/details/${schedule.experiment_id}`}>{schedule.experiment_id}</a>],
        ["Parameters", schedule.runtime_config?.parameters && <pre className="value">{shown(schedule.runtime_config.parameters)}</pre>],
        ["From", exact((cron ?? periodic)?.start_time)],
        ["Until", exact((cron ?? periodic)?.end_time)],
        ["At a time", schedule.max_concurrency],
        ["Missed slots", schedule.no_catchup ? "only the latest is run" : "are caught up on"],
        ["Late after", schedule.late_after_seconds && `${schedule.late_after_seconds} s`],
        ["Next", schedule.next_slots?.map(exact).join("; ")],
      ]}
    />
  );
}

function Edit({ schedule, done }: { schedule: RecurringRun; done: () => void }) {
  const [name, setName] = useState(schedule.display_name);
  const [timing, setTiming] = useState(() => ({
    ...timingOf(schedule.trigger),
    concurrency: String(schedule.max_concurrency ?? 1),
    catchup: !schedule.no_catchup,
    late: schedule.late_after_seconds ? String(Number(schedule.late_after_seconds) / 60) : "",
  }));
  const [failure, setFailure] = useState<Failure>();
  const [saved, setSaved] = useState(false);
  const save = async () => {
    setFailure(undefined);
    try {
      await editSchedule(schedule.recurring_run_id, {
        display_name: name,
        trigger: triggerOf(timing),
        max_concurrency: timing.concurrency,
        no_catchup: !timing.catchup,
        late_after_seconds: String(Number(timing.late || 0) * 60),
      });
      setSaved(true);
      done();
    } catch (error) {
      setFailure(asFailure(error));
    }
  };
  return (
    <form
      className="card form"
      onChange={() => setSaved(false)}
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <label className="field">
        <span>Name</span>
        <input type="text" required maxLength={128} value={name} onChange={(event) => setName(event.target.value)} />
      </label>
      <ScheduleFields timing={timing} change={setTiming} />
      <Complaint failure={failure} />
      <div className="row">
        <button type="submit" className="primary">
          Save
        </button>
        {saved && <span className="quiet">Saved: a changed time counts from now.</span>}
      </div>
    </form>
  );
}
