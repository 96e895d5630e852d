// Models that answer: where, whether, why not, and a form to ask them.

import { useState } from "react";

import { byName, condition, podLogEndPath, podLogPath, PODS, remove, SERVICES, useObjects, within, type InferenceService, type Pod } from "../api/kubernetes";
import { exact } from "../format";
import { useNow } from "../live";
import { Conditions, Ready } from "../parts/Conditions";
import { Log } from "../parts/Log";
import { PodsOf } from "../parts/PodsOf";
import { StateIcon } from "../parts/State";
import { Ago, Code, Complaint, Copy, Danger, Empty, Facts, Header, Loading, Tabs } from "../parts/pieces";
import { Listed } from "../parts/Table";
import { failedContainer, modelOf, scaleOf, trafficOf, troubleOf, type Trouble } from "../serving";
import { TryIt } from "./TryIt";

export function Services() {
  const { items, failure } = useObjects<InferenceService>(SERVICES);
  const now = useNow(false);
  return (
    <>
      <Header title="Services" />
      <Listed
        rows={items && byName(items)}
        failure={failure}
        none={<HowToServe />}
        idOf={(service) => service.metadata.uid}
        columns={[
          { head: "Ready", cell: (service) => <Readiness service={service} /> },
          { head: "Name", cell: ({ metadata: { namespace, name } }) => <a href={`#/services/${namespace}/${name}`}>{name}</a> },
          { head: "Namespace", cell: (service) => service.metadata.namespace },
          { head: "Model", cell: (service) => modelOf(service).format },
          { head: "Scale", cell: scaleOf },
          { head: "Traffic", cell: (service) => <Traffic service={service} /> },
          { head: "Address", as: "wide", cell: (service) => <code>{service.status?.url}</code> },
          { head: "Age", cell: (service) => <Ago time={service.metadata.creationTimestamp} now={now} /> },
        ]}
      />
    </>
  );
}

export function ServicePage({ namespace, name, publicUrl }: { namespace: string; name: string; publicUrl: string }) {
  const { items, failure } = useObjects<InferenceService>(within(SERVICES, namespace), `metadata.name=${name}`);
  const now = useNow(false);
  const service = items?.[0];
  if (!items) return failure ? <Complaint failure={failure} /> : <Loading />;
  if (!service)
    return (
      <Empty title={`There is no service ${name}`}>
        <p>
          It may have been deleted. <a href="#/services">All services</a>
        </p>
      </Empty>
    );
  const model = modelOf(service);
  const trouble = troubleOf(service);
  return (
    <>
      <Header title={name} back={["Services", "#/services"]}>
        <Danger
          label="Delete"
          sure="Delete the service"
          act={() => remove(within(SERVICES, namespace, name)).then(() => location.assign("#/services"))}
        />
      </Header>
      <p className="summary">
        <Ready of={service} />
        <span>
          created <Ago time={service.metadata.creationTimestamp} now={now} />
        </span>
        {service.status?.url && (
          <span className="address">
            <code>{service.status.url}</code> <Copy text={service.status.url} />
          </span>
        )}
      </p>
      {trouble && <WhatIsWrong trouble={trouble} answers={answers(service)} namespace={namespace} />}
      <Tabs
        label="About this service"
        tabs={[
          { name: "Try it", content: () => <TryIt path={`serving/${namespace}/${name}`} name={name} publicUrl={publicUrl} ready={answers(service)} /> },
          { name: "Conditions", content: () => <Conditions of={service} now={now} /> },
          { name: "Pods", content: () => <PodsOf namespace={namespace} label="serving.kserve.io/inferenceservice" value={name} /> },
          { name: "Log", content: () => <LogOf namespace={namespace} name={name} /> },
          {
            name: "Details",
            content: () => (
              <Facts
                facts={[
                  ["Namespace", namespace],
                  ["Model format", model.format],
                  ["Note", model.note],
                  ["Model", model.place && <code>{model.place}</code>],
                  ["Runtime", service.status?.servingRuntimeName ?? service.status?.clusterServingRuntimeName],
                  ["Scale", scaleOf(service)],
                  ["Traffic", trafficOf(service).length > 0 && <Traffic service={service} />],
                  ["Mode", service.status?.deploymentMode],
                  ["Inside the cluster", service.status?.address?.url && <code>{service.status.address.url}</code>],
                  ["Created", exact(service.metadata.creationTimestamp)],
                ]}
              />
            ),
          },
        ]}
      />
    </>
  );
}

function answers(service: InferenceService): boolean {
  return condition(service, "Ready")?.status === "True";
}

/** Whether it answers; if it does although its newest version cannot, that too. */
function Readiness({ service }: { service: InferenceService }) {
  const trouble = answers(service) ? troubleOf(service) : undefined;
  return (
    <>
      <Ready of={service} />
      {trouble && (
        <div>
          <span className="state" title={trouble.message}>
            <StateIcon state="FAILED" /> newest: {trouble.reason}
          </span>
        </div>
      )}
    </>
  );
}

/** Which version answers how much. */
function Traffic({ service }: { service: InferenceService }) {
  return <>{trafficOf(service).map((part) => `${part.name} ${part.percent} %`).join(", ")}</>;
}

/** The reason, who answers meanwhile, and the last words of the pod in which it happened. */
function WhatIsWrong({ trouble, answers, namespace }: { trouble: Trouble; answers: boolean; namespace: string }) {
  return (
    <section>
      <p className="complaint">
        {trouble.reason && <strong>{trouble.reason}: </strong>}
        {trouble.message}
        {answers && <span>The version before answers meanwhile.</span>}
      </p>
      {trouble.pod && <LastWords namespace={namespace} name={trouble.pod} />}
    </section>
  );
}

function LastWords({ namespace, name }: { namespace: string; name: string }) {
  const { items } = useObjects<Pod>(within(PODS, namespace), `metadata.name=${name}`);
  const pod = items?.[0];
  if (!pod) return null;
  return (
    <>
      <p className="quiet">
        The last lines of <a href={`#/pods/${namespace}/${name}`}>{name}</a>
      </p>
      <Log path={podLogEndPath(namespace, name, failedContainer(pod), 20)} name={name} />
    </>
  );
}

function LogOf({ namespace, name }: { namespace: string; name: string }) {
  const { items, failure } = useObjects<Pod>(within(PODS, namespace));
  const mine = (items ?? []).filter((pod) => pod.metadata.labels?.["serving.kserve.io/inferenceservice"] === name);
  const [chosen, setChosen] = useState("");
  const pod = mine.find((one) => one.metadata.name === chosen) ?? mine[0];
  if (failure) return <Complaint failure={failure} />;
  if (!pod) return <p className="quiet">No pod runs for this service.</p>;
  return (
    <>
      {mine.length > 1 && (
        <label className="row">
          Pod
          <select value={pod.metadata.name} onChange={(event) => setChosen(event.target.value)}>
            {mine.map((one) => (
              <option key={one.metadata.uid}>{one.metadata.name}</option>
            ))}
          </select>
        </label>
      )}
      <Log path={podLogPath(namespace, pod.metadata.name, "kserve-container")} name={pod.metadata.name} />
    </>
  );
}

function HowToServe() {
  return (
    <Empty title="No model is served yet">
      <p>A service is an object. Put this into a file, say iris.yaml, with the place of your own model:</p>
      <Code
        label="A first service"
        text={`apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: iris
spec:
  predictor:
    model:
      modelFormat:
        name: sklearn
      storageUri: file:///home/me/models/iris`}
      />
      <p>and apply it:</p>
      <Code label="Apply it" text='kubectl --kubeconfig "$(fairway kubeconfig)" apply -f iris.yaml' />
    </Empty>
  );
}
