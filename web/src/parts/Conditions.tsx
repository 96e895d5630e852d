// What a controller says of its object: whether it is ready, and each condition with its reason.

import { condition, type Conditioned } from "../api/kubernetes";
import { StateIcon } from "./State";
import { Table } from "./Table";
import { Ago } from "./pieces";

export function Ready({ of }: { of: Conditioned }) {
  const ready = condition(of, "Ready");
  const state = ready?.status === "True" ? "SUCCEEDED" : ready?.status === "False" && ready.reason ? "FAILED" : "RUNNING";
  const word = { SUCCEEDED: "Ready", FAILED: ready?.reason ?? "Not ready", RUNNING: "Starting" }[state];
  return (
    <span className="state" title={ready?.message}>
      <StateIcon state={state} /> {word}
    </span>
  );
}

export function Conditions({ of, now }: { of: Conditioned; now: number }) {
  const conditions = of.status?.conditions ?? [];
  if (!conditions.length) return <p className="quiet">The controller has said nothing about it yet.</p>;
  return (
    <Table
      rows={conditions}
      idOf={(entry) => entry.type}
      columns={[
        { head: "Condition", cell: (entry) => entry.type },
        { head: "Holds", cell: (entry) => <Holds status={entry.status} /> },
        { head: "Reason", cell: (entry) => entry.reason },
        { head: "Message", as: "wide", cell: (entry) => entry.message },
        { head: "Since", cell: (entry) => <Ago time={entry.lastTransitionTime} now={now} /> },
      ]}
    />
  );
}

function Holds({ status }: { status: string }) {
  return (
    <span className="state">
      <StateIcon state={status === "True" ? "SUCCEEDED" : status === "False" ? "FAILED" : "RUNNING"} /> {status}
    </span>
  );
}
