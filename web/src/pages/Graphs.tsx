// Services joined into one: what each node does, where its steps go, and how the whole is called.

import { condition, GRAPHS, remove, useObjects, within, type GraphStep, type InferenceGraph } from "../api/kubernetes";
import { useNow } from "../live";
import { Conditions, Ready } from "../parts/Conditions";
import { PodsOf } from "../parts/PodsOf";
import { Ago, Code, Complaint, Copy, Danger, Empty, Header, Loading, Tabs } from "../parts/pieces";

export function Graphs() {
  const { items, failure } = useObjects<InferenceGraph>(GRAPHS);
  const now = useNow(false);
  const graphs = [...(items ?? [])].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  return (
    <>
      <Header title="Graphs" />
      <Complaint failure={failure} />
      {!items && !failure && <Loading />}
      {items && graphs.length === 0 && <HowToJoin />}
      {graphs.length > 0 && (
        <div className="table-frame">
          <table>
            <thead>
              <tr>
                <th>Ready</th>
                <th>Name</th>
                <th>Namespace</th>
                <th>Nodes</th>
                <th>Address</th>
                <th>Age</th>
              </tr>
            </thead>
            <tbody>
              {graphs.map((graph) => (
                <tr key={graph.metadata.uid}>
                  <td>
                    <Ready of={graph} />
                  </td>
                  <td>
                    <a href={`#/graphs/${graph.metadata.namespace}/${graph.metadata.name}`}>{graph.metadata.name}</a>
                  </td>
                  <td>{graph.metadata.namespace}</td>
                  <td>{nodesOf(graph).map(([name, node]) => `${name}: ${node.routerType}`).join(", ")}</td>
                  <td className="wide">
                    <code>{graph.status?.url}</code>
                  </td>
                  <td>
                    <Ago time={graph.metadata.creationTimestamp} now={now} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
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
          <div className="table-frame">
            <table>
              <thead>
                <tr>
                  <th>Step</th>
                  <th>Goes to</th>
                  <th>With</th>
                  <th>If it fails</th>
                  <th>When</th>
                </tr>
              </thead>
              <tbody>
                {(node.steps ?? []).map((step, index) => (
                  <tr key={index}>
                    <td>{step.name ?? index}</td>
                    <td>
                      <Target step={step} namespace={namespace} />
                    </td>
                    <td>{step.data === "$response" ? "the answer before it" : "the request"}</td>
                    <td>{[step.retries && `tried ${step.retries} times more`, step.dependency === "Hard" ? "ends the node" : "goes on"].filter(Boolean).join(", ")}</td>
                    <td className="wide">{whenOf(step)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      ))}
    </>
  );
}

function Target({ step, namespace }: { step: GraphStep; namespace: string }) {
  if (step.serviceName) return <a href={`#/services/${namespace}/${step.serviceName}`}>{step.serviceName}</a>;
  return step.nodeName ? <>node {step.nodeName}</> : <code>{step.serviceUrl}</code>;
}

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
