// What a controller says of its object: whether it is ready, and each condition with its reason.

import { condition, type Conditioned } from "../api/kubernetes";
import { StateIcon } from "./State";
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
    <div className="table-frame">
      <table>
        <thead>
          <tr>
            <th>Condition</th>
            <th>Holds</th>
            <th>Reason</th>
            <th>Message</th>
            <th>Since</th>
          </tr>
        </thead>
        <tbody>
          {conditions.map((entry) => (
            <tr key={entry.type}>
              <td>{entry.type}</td>
              <td>
                <span className="state">
                  <StateIcon state={entry.status === "True" ? "SUCCEEDED" : entry.status === "False" ? "FAILED" : "RUNNING"} /> {entry.status}
                </span>
              </td>
              <td>{entry.reason}</td>
              <td className="wide">{entry.message}</td>
              <td>
                <Ago time={entry.lastTransitionTime} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
