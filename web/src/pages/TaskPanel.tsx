// What one step got, gave and wrote; for a group, how its parts are.

import { useState } from "react";

import { continueStep, rerun } from "../api/control";
import { filePath, isOver, listFiles, logPath, type Artifact, type Task, type TaskArtifact, type TaskParameter } from "../api/pipelines";
import { duration, exact, size, value as shownValue } from "../format";
import { isGroup, type Node } from "../graph/model";
import { usePolled } from "../live";
import { Log } from "../parts/Log";
import { ConfusionMatrix, matrixOf, RocCurve, rocOf, Scalars, scalars } from "../parts/Metrics";
import { Action, Complaint, Copy, Facts, Loading, Tabs, type Tab } from "../parts/pieces";
import { State } from "../parts/State";

interface Props {
  node: Node;
  run: string;
  runOver: boolean;
  now: number;
  choose: (id: string) => void;
  close: () => void;
}

export function TaskPanel({ node, run, runOver, now, choose, close }: Props) {
  const tabs: Tab[] = [{ name: "Inputs and outputs", content: () => <Values node={node} /> }];
  const pod = executorPod(node.task);
  if (isGroup(node)) tabs.unshift({ name: node.kind === "loop" ? "Iterations" : "Steps", content: () => <Parts node={node} choose={choose} now={now} /> });
  else tabs.push({ name: "Logs", content: () => <StepLog node={node} run={run} /> });
  tabs.push({ name: "Details", content: () => <Details node={node} pod={pod} now={now} /> });
  return (
    <aside className="panel" aria-label={node.title} onKeyDown={(event) => event.key === "Escape" && close()}>
      <header>
        <h2 title={node.title}>{node.title}</h2>
        <State state={node.state} />
        <button type="button" className="close" onClick={close} aria-label="Close">
          ×
        </button>
      </header>
      {node.task?.status_metadata?.message && (
        <p className={node.state === "CANCELED" ? "quiet" : "complaint"}>{node.task.status_metadata.message}</p>
      )}
      <GoOn node={node} run={run} />
      <Rerun node={node} run={run} runOver={runOver} />
      <Tabs key={node.id} label="About this step" tabs={tabs} />
    </aside>
  );
}

/** Of a step that stands still for a look, as its author asked (`set_debug_pause`). */
function GoOn({ node, run }: { node: Node; run: string }) {
  const task = node.task;
  if (node.state !== "RUNNING" || !task?.status_metadata?.message?.startsWith("stopped ")) return null;
  return (
    <div className="row">
      <Action label="Go on" act={() => continueStep(run, task.task_id)} primary />
    </div>
  );
}

/** Of a run that is over: this step and what follows once more, in a run of its own. */
function Rerun({ node, run, runOver }: { node: Node; run: string; runOver: boolean }) {
  const path = [node.task?.scope_path ?? []].flat().join("/");
  if (!runOver || !path) return null;
  const again = () => rerun(run, [path]).then((made) => location.assign(`#/runs/details/${made.run_id}`));
  return (
    <div className="row">
      <Action label="Run again from here" act={again} />
    </div>
  );
}

function executorPod(task: Task | undefined): string | undefined {
  const pods = task?.pods ?? [];
  return (pods.findLast((pod) => pod.type === "EXECUTOR") ?? pods.at(-1))?.name;
}

function StepLog({ node, run }: { node: Node; run: string }) {
  const over = isOver(node.state);
  if (node.state === "CACHED") return <p className="quiet">This step did not run: its outputs were taken from an earlier run with the same inputs.</p>;
  if (!node.task || (over && !executorPod(node.task))) {
    return <p className="quiet">{over ? "This step started no pod, so there is no log." : "The log begins when the step does."}</p>;
  }
  return <Log path={logPath(run, node.task.task_id, !over)} name={node.title} />;
}

function Parts({ node, choose, now }: { node: Node; choose: (id: string) => void; now: number }) {
  if (!node.children.length) return <p className="quiet">Nothing has started here yet.</p>;
  return (
    <ul className="plain parts">
      {node.children.map((child) => (
        <li key={child.id}>
          <State state={child.state} />
          <button type="button" className="link" onClick={() => choose(child.id)}>
            {child.title}
          </button>
          <span className="quiet">{child.task && duration(child.task.start_time ?? child.task.create_time, child.task.end_time, now)}</span>
        </li>
      ))}
    </ul>
  );
}

function Values({ node }: { node: Node }) {
  const { inputs, outputs } = node.task ?? {};
  const empty = ![inputs, outputs].some((side) => side?.parameters?.length || side?.artifacts?.length);
  if (empty) return <p className="quiet">{isOver(node.state) ? "No inputs, no outputs." : "Known once the step starts."}</p>;
  return (
    <>
      <Side title="Outputs" parameters={outputs?.parameters} artifacts={outputs?.artifacts} />
      <Side title="Inputs" parameters={inputs?.parameters} artifacts={inputs?.artifacts} />
    </>
  );
}

function Side({ title, parameters = [], artifacts = [] }: { title: string; parameters?: TaskParameter[] | undefined; artifacts?: TaskArtifact[] | undefined }) {
  if (!parameters.length && !artifacts.length) return null;
  return (
    <section className="values">
      <h3>{title}</h3>
      {parameters.length > 0 && (
        <dl className="facts">
          {parameters.map((parameter, index) => (
            <div key={`${parameter.parameter_key} ${index}`}>
              <dt>{parameter.parameter_key}</dt>
              <dd>
                <pre className="value">{shownValue(parameter.value)}</pre>
              </dd>
            </div>
          ))}
        </dl>
      )}
      {artifacts
        // Each scalar metric is also a record of its own, for lists; here the artifact that it is of shows it.
        .filter((entry) => !artifacts.some((whole) => entry.artifact_key.startsWith(`${whole.artifact_key}/`)))
        .flatMap((entry) => (entry.artifacts ?? []).map((artifact) => ({ name: entry.artifact_key, artifact })))
        .sort((a, b) => Number(scalars(b.artifact).length > 0) - Number(scalars(a.artifact).length > 0))
        .map(({ name, artifact }) => (
          <ArtifactView key={`${name} ${artifact.artifact_id}`} name={name} artifact={artifact} />
        ))}
    </section>
  );
}

const CURVES = new Set(["confusionMatrix", "confidenceMetrics", "display_name", "store_session_info"]);

function ArtifactView({ name, artifact }: { name: string; artifact: Artifact }) {
  const [files, setFiles] = useState(false);
  const matrix = matrixOf(artifact);
  const roc = rocOf(artifact);
  const isMetrics = artifact.type?.endsWith("Metrics") || artifact.type?.endsWith("Metric");
  const numbers = isMetrics ? scalars(artifact) : [];
  const shown = new Set(numbers.map(([key]) => key));
  const others = Object.entries(artifact.metadata ?? {}).filter(([key]) => !CURVES.has(key) && !shown.has(key));
  return (
    <article className="artifact">
      <h4>
        {name} <small>{artifact.type?.replace(/^system\./, "")}</small>
      </h4>
      {numbers.length > 0 && <Scalars values={numbers} />}
      {matrix && <ConfusionMatrix matrix={matrix} />}
      {roc && <RocCurve points={roc} />}
      {others.length > 0 && <Facts facts={others.map(([key, value]) => [key, <pre className="value">{shownValue(value)}</pre>])} />}
      {artifact.uri && (
        <p className="uri">
          <code title={artifact.uri}>{artifact.uri}</code> <Copy text={artifact.uri} />
          <button type="button" className="copy" aria-expanded={files} onClick={() => setFiles(!files)}>
            Files
          </button>
        </p>
      )}
      {files && <Files artifact={artifact.artifact_id} />}
    </article>
  );
}

function Files({ artifact }: { artifact: string }) {
  const { value, failure, refresh } = usePolled(`files ${artifact}`, () => listFiles(artifact), () => 0);
  if (!value) return failure ? <Complaint failure={failure} retry={refresh} /> : <Loading />;
  const files = value.files ?? [];
  return (
    <ul className="plain">
      {files.map((file) => (
        <li key={file.path}>
          <a href={filePath(artifact, file.path)} download>
            {file.path || "Download"}
          </a>
          <span className="quiet">{size(file.size)}</span>
        </li>
      ))}
      {(value.total_size ?? 0) > files.length && <li className="quiet">… and {value.total_size! - files.length} more</li>}
    </ul>
  );
}

/** The command that runs a step again, on one's own machine, with the inputs that it had. */
function debugging(node: Node, pod: string | undefined): string | undefined {
  const path = [node.task?.scope_path ?? []].flat().join("/");
  return pod && path && isOver(node.state) ? `fairway runs debug ${node.task?.run_id} ${path}` : undefined;
}

function Details({ node, pod, now }: { node: Node; pod: string | undefined; now: number }) {
  const { task } = node;
  const command = debugging(node, pod);
  return (
    <Facts
      facts={[
        ["Name", <code>{task?.name ?? node.id}</code>],
        ["Kind", node.kind],
        ["Condition", node.condition && <code>{node.condition}</code>],
        ["Image", node.image && <code>{node.image}</code>],
        ["Created", exact(task?.create_time)],
        ["Started", exact(task?.start_time)],
        ["Ended", exact(task?.end_time)],
        ["Took", task?.end_time && duration(task.start_time ?? task.create_time, task.end_time, now)],
        ["Attempts", (task?.attempts ?? 0) > 1 && task?.attempts],
        ["Pod", pod && <code>{pod}</code>],
        ["Cache key", task?.cache_fingerprint && <code>{task.cache_fingerprint}</code>],
        ["Debug it here", command && <><code>{command}</code> <Copy text={command} /></>],
        ["Task id", task && <code>{task.task_id}</code>],
      ]}
    />
  );
}
