// One run: its graph as it goes, and beside it whatever was clicked.

import { useMemo } from "react";

import { bareSpec, getRun, isOver, listTasks, type Run, type State } from "../api/pipelines";
import { exact, duration, plural, value as shownValue } from "../format";
import { Graph } from "../graph/Graph";
import { rootNode, steps, walk, type Node } from "../graph/model";
import { Timeline } from "../graph/Timeline";
import { useNow, usePolled } from "../live";
import { RunApprovals } from "../parts/Approvals";
import { Ago, Code, Complaint, Copy, Facts, Header, Loading, Tabs } from "../parts/pieces";
import { RunActions } from "../parts/RunActions";
import { State as StateOf } from "../parts/State";
import { replaceQuery, useAddress } from "../router";
import { TaskPanel } from "./TaskPanel";

const EVERY = 800;
/** A large run is asked for less often: its tasks are many. */
const EVERY_TASK = 3;

export function RunPage({ id }: { id: string }) {
  const { path, query } = useAddress();
  const run = usePolled(`run ${id}`, () => getRun(id), (found) => (isOver(found.state) ? 0 : EVERY));
  const over = isOver(run.value?.state);
  // Asked again when the run ends: the last steps may have ended since.
  const tasks = usePolled(`tasks ${id} ${over}`, () => listTasks(id), (found) => (over ? 0 : Math.max(EVERY, found.length * EVERY_TASK)));
  const known = useLast(tasks.value);
  const now = useNow(!over);
  const spec = bareSpec(run.value?.pipeline_spec);
  const root = useMemo(() => rootNode(spec, known ?? []), [spec, known]);

  if (!run.value) return run.failure ? <Complaint failure={run.failure} retry={run.refresh} /> : <Loading />;
  const chosenId = query.get("task") ?? undefined;
  const chosen = chosenId === undefined ? undefined : [...walk(root.children)].find((node) => node.id === chosenId);
  const choose = (task: string | undefined) => replaceQuery(path, { task: task === chosenId ? undefined : task });
  return (
    <div className="run-page">
      <Header title={run.value.display_name} back={["Runs", "#/runs"]}>
        <RunActions run={run.value} done={run.refresh} />
      </Header>
      <Summary run={run.value} root={root} now={now} />
      <Complaint failure={run.failure ?? tasks.failure} retry={tasks.refresh} />
      <RunApprovals run={id} live={!over} />
      <WhyFailed run={run.value} root={root} choose={choose} />
      <div className={`split ${chosen ? "with-panel" : ""}`}>
        <Tabs
          label="Views of the run"
          tabs={[
            {
              name: "Graph",
              content: () => (
                <Graph nodes={root.children} edges={root.edges} chosen={chosen?.id} choose={choose} now={now} wanted={chosenId} />
              ),
            },
            {
              name: "Timeline",
              content: () => <Timeline nodes={root.children} now={now} chosen={chosen?.id} choose={choose} />,
            },
            { name: "Parameters", content: () => <Parameters run={run.value!} /> },
            { name: "Details", content: () => <Details run={run.value!} /> },
            ...(spec ? [{ name: "Specification", content: () => <Code label="Specification" text={JSON.stringify(run.value!.pipeline_spec, null, 2)} /> }] : []),
          ]}
        />
        {chosen && <TaskPanel key={chosen.id} node={chosen} run={id} runOver={over} now={now} choose={choose} close={() => choose(undefined)} />}
      </div>
    </div>
  );
}

/** The last value that was known, over a change of what is asked. */
function useLast<T>(value: T | undefined): T | undefined {
  const last = useMemo(() => ({ value: undefined as T | undefined }), []);
  if (value !== undefined) last.value = value;
  return last.value;
}

function Summary({ run, root, now }: { run: Run; root: Node; now: number }) {
  const all = steps(root.children);
  const count = (state: State) => all.filter((node) => node.state === state).length;
  const [cached, skipped, stopped] = [count("CACHED"), count("SKIPPED"), count("CANCELED")];
  const done = all.filter((node) => isOver(node.state)).length - skipped - stopped;
  return (
    <p className="summary">
      <StateOf state={run.state} />
      {run.late && <span className="badge bad">late</span>}
      <span>{duration(run.created_at, run.finished_at, now)}</span>
      <span>
        started <Ago time={run.created_at} now={now} />
      </span>
      <span>
        {done} of {plural(all.length, "step")} done
        {cached > 0 && `, ${cached} from the cache`}
        {skipped > 0 && `, ${skipped} skipped`}
        {stopped > 0 && `, ${stopped} stopped`}
      </span>
    </p>
  );
}

/** The failing steps first: that is what one came to see. */
function WhyFailed({ run, root, choose }: { run: Run; root: Node; choose: (id: string) => void }) {
  if (run.state !== "FAILED") return null;
  const failed = steps(root.children).filter((node) => node.state === "FAILED");
  return (
    <div className="complaint" role="alert">
      <div>
        {run.error?.message && <p>{run.error.message}</p>}
        {failed.slice(0, 5).map((node) => (
          <p key={node.id}>
            <button type="button" className="link" onClick={() => choose(node.id)}>
              {node.title}
            </button>{" "}
            failed{node.task?.status_metadata?.message ? `: ${node.task.status_metadata.message}` : "."}
          </p>
        ))}
      </div>
    </div>
  );
}

function Parameters({ run }: { run: Run }) {
  const given = run.runtime_config?.parameters ?? {};
  const defined = bareSpec(run.pipeline_spec)?.root?.inputDefinitions?.parameters ?? {};
  const names = [...new Set([...Object.keys(defined), ...Object.keys(given)])];
  if (names.length === 0) return <p className="quiet">This pipeline takes no parameters.</p>;
  return (
    <div className="table-frame">
      <table>
        <thead>
          <tr>
            <th>Parameter</th>
            <th>Value</th>
            <th>Type</th>
          </tr>
        </thead>
        <tbody>
          {names.map((name) => (
            <tr key={name}>
              <td>{name}</td>
              <td className="wide">
                <pre className="value">{shownValue(name in given ? given[name] : defined[name]?.defaultValue)}</pre>
                {!(name in given) && <small className="quiet">default</small>}
              </td>
              <td className="quiet">{defined[name]?.parameterType?.toLowerCase().replaceAll("_", " ")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Details({ run }: { run: Run }) {
  return (
    <Facts
      facts={[
        ["Run id", <><code>{run.run_id}</code> <Copy text={run.run_id} /></>],
        ["Description", run.description],
        ["Pipeline", bareSpec(run.pipeline_spec)?.pipelineInfo?.name],
        ["Experiment", run.experiment_id && <a href={`#/experiments/details/${run.experiment_id}`}>{run.experiment_id}</a>],
        ["Schedule", run.recurring_run_id && <a href={`#/recurringruns/details/${run.recurring_run_id}`}>{run.recurring_run_id}</a>],
        ["For the slot", run.recurring_run_id && exact(run.scheduled_at)],
        ["Trigger", run.trigger_id && <a href={`#/triggers/details/${run.trigger_id}`}>{run.trigger_id}</a>],
        ["Goes on from", run.source_run_id && <a href={`#/runs/details/${run.source_run_id}`}>{run.source_run_id}</a>],
        ["Late at", exact(run.late_at)],
        ["Created", exact(run.created_at)],
        ["Finished", exact(run.finished_at)],
        ["Pipeline root", run.runtime_config?.pipeline_root],
        [
          "States",
          <ul className="plain">
            {(run.state_history ?? []).map((entry, index) => (
              <li key={index}>
                <StateOf state={entry.state} /> <span className="quiet">{exact(entry.update_time)}</span>
              </li>
            ))}
          </ul>,
        ],
      ]}
    />
  );
}
