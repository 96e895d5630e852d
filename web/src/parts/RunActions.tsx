// What can be done with a run as it is now.

import { archiveRun, pauseRun, resumeRun, retryRun, unarchiveRun } from "../api/control";
import { deleteRun, isOver, terminateRun, type Run } from "../api/pipelines";
import { Action, Danger } from "./pieces";

export function RunActions({ run, done }: { run: Run; done: () => void }) {
  const { run_id: id, state } = run;
  const over = isOver(state);
  const archived = run.storage_state === "ARCHIVED";
  const remove = (artifacts: boolean) => deleteRun(id, artifacts).then(() => location.assign("#/runs"));
  return (
    <>
      {state === "PAUSED" && <Action label="Resume" act={() => resumeRun(id).then(done)} primary />}
      {(state === "RUNNING" || state === "PENDING") && <Action label="Pause" act={() => pauseRun(id).then(done)} />}
      {(state === "FAILED" || state === "CANCELED") && <Action label="Retry" act={() => retryRun(id).then(done)} primary />}
      <a className="button" href={`#/runs/new?from=${id}`}>
        Run again…
      </a>
      {!over && <Danger label="Terminate" sure="Stop this run" act={() => terminateRun(id).then(done)} />}
      {over && <Action label={archived ? "Restore" : "Archive"} act={() => (archived ? unarchiveRun : archiveRun)(id).then(done)} />}
      {over && <Danger label="Delete" sure="Delete the run, its records and logs; artifacts stay" act={() => remove(false)} />}
      {over && <Danger label="Delete with artifacts" sure="Delete the run and what only it uses of its artifacts" act={() => remove(true)} />}
    </>
  );
}
