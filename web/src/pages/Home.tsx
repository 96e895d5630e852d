// Where one begins: what runs now, what answers, and what to type first.

import { routePath, type Session } from "../App";
import { isOver, listRuns } from "../api/pipelines";
import { condition, SERVICES, useObjects, type InferenceService } from "../api/kubernetes";
import { useNow, usePolled } from "../live";
import { Ready } from "../parts/Conditions";
import { Waiting } from "../parts/Approvals";
import { Ago, Code, Complaint, Header } from "../parts/pieces";
import { State } from "../parts/State";

export function Home({ session }: { session: Session }) {
  const has = (route: string) => session.pages.some((page) => routePath(page.route) === route);
  return (
    <>
      <Header title="Home" />
      <div className="cards">
        {has("runs") && <Waiting />}
        {has("runs") && <LatestRuns />}
        {has("services") && <LatestServices />}
        <section className="card whole">
          <h2>From your own code</h2>
          <p>
            Clients find Fairway after <code>fairway login</code>. Without it, give them the address and a token:
          </p>
          <Code
            label="Connect the Kubeflow Pipelines client"
            text={`import kfp, subprocess\n\ntoken = subprocess.check_output(["fairway", "token"], text=True).strip()\nclient = kfp.Client(host="${session.publicUrl}", existing_token=token)`}
          />
          <Code label="Use kubectl" text={'export KUBECONFIG="$(fairway kubeconfig)"\nkubectl get pods'} />
        </section>
      </div>
    </>
  );
}

function LatestRuns() {
  const { value, failure, refresh } = usePolled(
    "home-runs",
    () => listRuns({ page_size: 6, sort_by: "created_at desc" }),
    () => 3000,
  );
  const now = useNow(false);
  const runs = value?.runs ?? [];
  return (
    <section className="card">
      <h2>
        <a href="#/runs">Latest runs</a>
      </h2>
      <Complaint failure={failure} retry={refresh} />
      {value && runs.length === 0 && (
        <>
          <p>Nothing has run yet. The example trains, compares and deploys a model:</p>
          <Code label="Start the example" text="fairway demo" />
        </>
      )}
      <ul className="plain">
        {runs.map((run) => (
          <li key={run.run_id}>
            <State state={run.state} />
            <a href={`#/runs/details/${run.run_id}`}>{run.display_name}</a>
            <Ago time={isOver(run.state) ? (run.finished_at ?? run.created_at) : run.created_at} now={now} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function LatestServices() {
  const { items, failure } = useObjects<InferenceService>(SERVICES);
  const now = useNow(false);
  const services = (items ?? []).slice(0, 6);
  return (
    <section className="card">
      <h2>
        <a href="#/services">Services</a>
      </h2>
      <Complaint failure={failure} />
      {items && services.length === 0 && <p>No model is served yet. <a href="#/services">See how to deploy one</a>.</p>}
      <ul className="plain">
        {services.map((service) => (
          <li key={service.metadata.uid}>
            <Ready of={service} />
            <a href={`#/services/${service.metadata.namespace}/${service.metadata.name}`}>{service.metadata.name}</a>
            <Ago time={condition(service, "Ready")?.lastTransitionTime ?? service.metadata.creationTimestamp} now={now} />
          </li>
        ))}
      </ul>
    </section>
  );
}
