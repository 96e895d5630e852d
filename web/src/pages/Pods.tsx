// Pods as kubectl shows them, with their logs and events.

import { useState } from "react";

import { condition, EVENTS, podLogPath, PODS, podStatus, remove, restarts, useObjects, within, type KubernetesEvent, type Pod } from "../api/kubernetes";
import { exact } from "../format";
import { useNow } from "../live";
import { Log } from "../parts/Log";
import { Ago, Code, Complaint, Danger, Empty, Facts, Header, Loading, Tabs } from "../parts/pieces";
import { StateIcon } from "../parts/State";
import { Table } from "../parts/Table";

export function Pods() {
  const { items, failure } = useObjects<Pod>(PODS);
  const [search, setSearch] = useState("");
  const now = useNow(false);
  const pods = (items ?? [])
    .filter((pod) => `${pod.metadata.namespace}/${pod.metadata.name}`.includes(search))
    .sort((a, b) => b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp));
  return (
    <>
      <Header title="Pods" />
      <Complaint failure={failure} />
      {!items && !failure && <Loading />}
      {items?.length === 0 && (
        <Empty title="No pods">
          <p>Steps of runs and replicas of services are pods while they work. See them in the terminal:</p>
          <Code label="List pods" text='kubectl --kubeconfig "$(fairway kubeconfig)" get pods --all-namespaces --watch' />
        </Empty>
      )}
      {items && items.length > 0 && (
        <>
          <input type="search" className="search" placeholder="Search" aria-label="Search pods by name" value={search} onChange={(event) => setSearch(event.target.value)} />
          <Table
            rows={pods.slice(0, 500)}
            idOf={(pod) => pod.metadata.uid}
            columns={[
              { head: "Status", cell: (pod) => <PodState pod={pod} /> },
              { head: "Name", as: "wide", cell: ({ metadata: { namespace, name } }) => <a href={`#/pods/${namespace}/${name}`}>{name}</a> },
              { head: "Namespace", cell: (pod) => pod.metadata.namespace },
              { head: "Ready", as: "number", cell: readiness },
              { head: "Restarts", as: "number", cell: restarts },
              { head: "Age", cell: (pod) => <Ago time={pod.metadata.creationTimestamp} now={now} /> },
            ]}
          >
            {pods.length === 0 && <p className="loading">No pod has such a name.</p>}
            {pods.length > 500 && <p className="loading">The newest 500 of {pods.length}; search for the others.</p>}
          </Table>
        </>
      )}
    </>
  );
}

function PodState({ pod }: { pod: Pod }) {
  const word = podStatus(pod);
  const state = { Running: "RUNNING", Succeeded: "SUCCEEDED", Completed: "SUCCEEDED", Failed: "FAILED", Error: "FAILED" }[word];
  const ready = condition(pod, "Ready")?.status === "True";
  const waits = ["Pending", "ContainerCreating", "PodInitializing", "Terminating"].includes(word);
  return (
    <span className="state">
      <StateIcon state={word === "Running" && ready ? "SUCCEEDED" : (state ?? (waits ? "PENDING" : "FAILED"))} /> {word}
    </span>
  );
}

const readiness = (pod: Pod) =>
  `${(pod.status?.containerStatuses ?? []).filter((container) => container.ready).length}/${pod.spec.containers.length}`;

export function PodPage({ namespace, name }: { namespace: string; name: string }) {
  const { items, failure } = useObjects<Pod>(within(PODS, namespace), `metadata.name=${name}`);
  const now = useNow(false);
  const pod = items?.[0];
  if (!items) return failure ? <Complaint failure={failure} /> : <Loading />;
  if (!pod)
    return (
      <Empty title={`There is no pod ${name}`}>
        <p>
          It has ended and was removed, or never was. Logs of a run's steps stay with the <a href="#/runs">run</a>.
        </p>
      </Empty>
    );
  return (
    <>
      <Header title={name} back={["Pods", "#/pods"]}>
        <Danger label="Delete" sure="Delete the pod" act={() => remove(within(PODS, namespace, name))} />
      </Header>
      <p className="summary">
        <PodState pod={pod} />
        <span>{readiness(pod)} ready</span>
        <span>
          created <Ago time={pod.metadata.creationTimestamp} now={now} />
        </span>
      </p>
      <Trouble pod={pod} />
      <Tabs
        label="About this pod"
        tabs={[
          { name: "Logs", content: () => <PodLogs pod={pod} /> },
          { name: "Events", content: () => <Events namespace={namespace} uid={pod.metadata.uid} now={now} /> },
          { name: "Details", content: () => <Details pod={pod} /> },
        ]}
      />
    </>
  );
}

/** Why the pod waits or what ended it. */
function Trouble({ pod }: { pod: Pod }) {
  const said = [
    pod.status?.message,
    pod.status?.conditions?.find((entry) => entry.type === "PodScheduled" && entry.status === "False")?.message,
    ...(pod.status?.containerStatuses ?? []).map((container) => container.state?.waiting?.message ?? container.state?.terminated?.message),
  ].filter((text): text is string => Boolean(text));
  if (!said.length) return null;
  return <p className="complaint">{[...new Set(said)].join(" ")}</p>;
}

function PodLogs({ pod }: { pod: Pod }) {
  const names = pod.spec.containers.map((container) => container.name);
  const [chosen, setChosen] = useState(names[0] ?? "");
  const { name, namespace = "" } = pod.metadata;
  return (
    <>
      {names.length > 1 && (
        <label className="row">
          Container
          <select value={chosen} onChange={(event) => setChosen(event.target.value)}>
            {names.map((option) => (
              <option key={option}>{option}</option>
            ))}
          </select>
        </label>
      )}
      {pod.status?.phase === "Pending" ? <p className="quiet">The log begins when the container does.</p> : <Log path={podLogPath(namespace, name, chosen)} name={name} />}
    </>
  );
}

function Events({ namespace, uid, now }: { namespace: string; uid: string; now: number }) {
  const { items, failure } = useObjects<KubernetesEvent>(within(EVENTS, namespace));
  const mine = (items ?? []).filter((event) => event.involvedObject.uid === uid);
  if (failure) return <Complaint failure={failure} />;
  if (!mine.length) return <p className="quiet">Nothing was recorded about this pod.</p>;
  return (
    <Table
      rows={mine}
      idOf={(event) => event.metadata.uid}
      columns={[
        { head: "Type", cell: (event) => event.type },
        { head: "Reason", cell: (event) => event.reason },
        { head: "Message", as: "wide", cell: (event) => event.message },
        { head: "Times", as: "number", cell: (event) => event.count ?? 1 },
        { head: "Last", cell: (event) => <Ago time={event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp} now={now} /> },
      ]}
    />
  );
}

function Details({ pod }: { pod: Pod }) {
  const owner = pod.metadata.ownerReferences?.[0];
  return (
    <>
      <Facts
        facts={[
          ["Namespace", pod.metadata.namespace],
          ["Node", pod.spec.nodeName],
          ["Address", pod.status?.podIP],
          ["Owner", owner && `${owner.kind} ${owner.name}`],
          ["Started", exact(pod.status?.startTime)],
          ["Labels", Object.entries(pod.metadata.labels ?? {}).map(([key, value]) => <div key={key}><code>{key}={value}</code></div>)],
        ]}
      />
      {pod.spec.containers.map((container) => {
        const ended = pod.status?.containerStatuses?.find((status) => status.name === container.name)?.state?.terminated;
        return (
          <section key={container.name} className="values">
            <h3>{container.name}</h3>
            <Facts
              facts={[
                ["Image", <code>{container.image}</code>],
                ["Command", (container.command || container.args) && <code>{[...(container.command ?? []), ...(container.args ?? [])].join(" ")}</code>],
                ["Exit code", ended && `${ended.exitCode}${ended.reason ? ` (${ended.reason})` : ""}`],
                ["Ended", exact(ended?.finishedAt)],
              ]}
            />
          </section>
        );
      })}
    </>
  );
}
