// Services joined into one: what each node does, where its steps go, and how the whole is called.

import { byName, condition, GRAPHS, remove, useObjects, within, type GraphStep, type InferenceGraph } from "../api/kubernetes";
import { useNow } from "../live";
import { Conditions, Ready } from "../parts/Conditions";
import { PodsOf } from "../parts/PodsOf";
import { Ago, Code, Complaint, Copy, Danger, Empty, Header, Loading, Tabs } from "../parts/pieces";
import { Listed, Table } from "../parts/Table";

export function Graphs() {
  const { items, failure } = useObjects<InferenceGraph>(GRAPHS);
  const now = useNow(false);
  return (
    <>
      <Header title="Graphs" />
      <Listed
        rows={items && byName(items)}
        failure={failure}
        none={<HowToJoin />}
        idOf={(graph) => graph.metadata.uid}
        columns={[
          { head: "Ready", cell: (graph) => <Ready of={graph} /> },
          { head: "Name", cell: ({ metadata: { namespace, name } }) => <a href={`#/graphs/${namespace}/${name}`}>{name}</a> },
          { head: "Namespace", cell: (graph) => graph.metadata.namespace },
          { head: "Nodes", cell: (graph) => nodesOf(graph).map(([name, node]) => `${name}: ${node.routerType}`).join(", ") },
          { head: "Address", as: "wide", cell: (graph) => <code>{graph.status?.url}</code> },
          { head: "Age", cell: (graph) => <Ago time={graph.metadata.creationTimestamp} now={now} /> },
        ]}
      />
    </>
  );
}

/** The root first: it takes the request. */
const nodesOf = (graph: InferenceGraph) =>
  Object.entries(graph.spec.nodes ?? {}).sort(([a], [b]) => Number(b === "root") - Number(a === "root") || a.localeCompare(b));

export function GraphPage({ namespace, name, publicUrl }: { namespace: string; name: string; publicUrl: string }) {
  const { items, failure } = useObjects<InferenceGraph>(within(GRAPHS, namespace), `metadata.name=${name}`);
  const now = useNow(false);
  const graph = items?.[0];
  if (!items) return failure ? <Complaint failure={failure} /> : <Loading />;
  if (!graph)
    return (
      <Empty title={`There is no graph ${name}`}>
        <p>
          It may have been deleted. <a href="#/graphs">All graphs</a>
        </p>
      </Empty>
    );
  const ready = condition(graph, "Ready");
  return (
    <>
      <Header title={name} back={["Graphs", "#/graphs"]}>
        <Danger label="Delete" sure="Delete the graph" act={() => remove(within(GRAPHS, namespace, name)).then(() => location.assign("#/graphs"))} />
      </Header>
      <p className="summary">
        <Ready of={graph} />
        <span>
          created <Ago time={graph.metadata.creationTimestamp} now={now} />
        </span>
        {graph.status?.url && (
          <span className="address">
            <code>{graph.status.url}</code> <Copy text={graph.status.url} />
          </span>
        )}
      </p>
      {ready?.status === "False" && <p className="complaint">{ready.message ?? ready.reason}</p>}
      <Tabs
        label="About this graph"
        tabs={[
          { name: "Nodes", content: () => <Nodes graph={graph} namespace={namespace} /> },
          { name: "Call it", content: () => <Code label="A request to the root" text={called(publicUrl, namespace, name)} /> },
          { name: "Conditions", content: () => <Conditions of={graph} now={now} /> },
          { name: "Pods", content: () => <PodsOf namespace={namespace} label="serving.kserve.io/inferencegraph" value={name} /> },
        ]}
      />
    </>
  );
}

const called = (publicUrl: string, namespace: string, name: string) =>
  `curl ${publicUrl}/graphs/${namespace}/${name}/ \\\n  -H "Authorization: Bearer $(fairway token)" \\\n  -H "Content-Type: application/json" \\\n  -d '{"instances": [[...]]}'`;

function Nodes({ graph, namespace }: { graph: InferenceGraph; namespace: string }) {
  return (
    <>
      {nodesOf(graph).map(([name, node]) => (
        <section key={name}>
          <h2>
            {name} <span className="quiet">{[node.routerType, node.merge && `merged by ${node.merge}`].filter(Boolean).join(", ")}</span>
          </h2>
          <Table
            rows={node.steps ?? []}
            idOf={(_, index) => index}
            columns={[
              { head: "Step", cell: (step, index) => step.name ?? index },
              { head: "Goes to", cell: (step) => <Target step={step} namespace={namespace} /> },
              { head: "With", cell: (step) => (step.data === "$response" ? "the answer before it" : "the request") },
              { head: "If it fails", cell: failureOf },
              { head: "When", as: "wide", cell: whenOf },
            ]}
          />
        </section>
      ))}
    </>
  );
}

function Target({ step, namespace }: { step: GraphStep; namespace: string }) {
  if (step.serviceName) return <a href={`#/services/${namespace}/${step.serviceName}`}>{step.serviceName}</a>;
  return step.nodeName ? <>node {step.nodeName}</> : <code>{step.serviceUrl}</code>;
}

const failureOf = (step: GraphStep) =>
  [step.retries && `tried ${step.retries} times more`, step.dependency === "Hard" ? "ends the node" : "goes on"].filter(Boolean).join(", ");

function whenOf(step: GraphStep) {
  if (step.condition) return <code>{step.condition}</code>;
  if (step.weight !== undefined) return `${step.weight} % of the requests`;
  return step.default ? "no other condition holds" : "always";
}

function HowToJoin() {
  return (
    <Empty title="No services are joined yet">
      <p>A graph is an object. Put this into a file, say animals.yaml, with services of your own:</p>
      <Code
        label="A first graph"
        text={`apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata:
  name: animals
spec:
  nodes:
    root:
      routerType: Sequence
      steps:
      - serviceName: animal
      - serviceName: breed
        data: $response`}
      />
      <p>and apply it:</p>
      <Code label="Apply it" text='kubectl --kubeconfig "$(fairway kubeconfig)" apply -f animals.yaml' />
    </Empty>
  );
}
